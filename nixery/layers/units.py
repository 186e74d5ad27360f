"""Strategy "units": paths that always occur together share a layer.

In requested images, git always comes with pcre2, and nothing else does: the two are a *unit*. A
layer that holds a unit is shared exactly where its paths are needed, so joining them costs nothing.

    requested       git          git + curl              python3
    closure         git, pcre2   git, pcre2, curl,       python3, openssl
                                 openssl

    units           git + pcre2 | curl | openssl | python3

An image of many packages has more units than layers. Then units that are rarely apart are joined,
in the same way for all images: an image with layers to spare would otherwise have other layers than
similar ones. These *unions* are part of the table, for the budgets in use
(``nixery.learning.learn``).

Steps: find the union of each path by its name, and group unknown paths (``unknown.py``). The
largest groups get a layer each, and the others share the last one. With an empty table this is
``size``. With any table, the last layer, which few images share, is at most as large as with
``size``, because every group is at least as large as its largest path.
"""

from nixery.closure import Closure, PathInfo
from nixery.layers.names import names
from nixery.layers.plan import LayerPlan, fit
from nixery.layers.tables import Tables
from nixery.layers.unknown import group_unknown


def group(closure: Closure, tables: Tables, budget: int) -> LayerPlan:
    """Groups: unions of known paths, and groups of unknown ones; a layer for each of the largest.

    >>> from nixery.layers.tables import Popularity, Units
    >>> tables = Tables(Popularity({}), Units((("openssl",), ("git", "pcre2")), {}))
    >>> paths = [PathInfo(f"/nix/store/x-{name}-1.0", 1, ()) for name in
    ...          ("curl", "git", "openssl", "pcre2")]
    >>> plan = group(Closure(tuple(paths)), tables, budget=3)
    >>> [[path[13:-4] for path in layer.paths] for layer in plan.layers]
    [['openssl'], ['git', 'pcre2'], ['curl']]
    """
    groups = tables.units.groups(budget)
    known: dict[int, list[PathInfo]] = {}
    unknown: list[PathInfo] = []
    for info in sorted(closure.paths, key=lambda info: info.path):
        group = next((groups[name] for name in names(info.path) if name in groups), None)
        if group is None:
            unknown.append(info)
        else:
            known.setdefault(group, []).append(info)
    largest_first = sorted(
        [*known.items(), *((None, infos) for infos in group_unknown(closure, unknown, budget))],
        key=lambda item: (-sum(info.size for info in item[1]), item[1][0].path),
    )
    layers, rest = fit([infos for _, infos in largest_first], budget)
    # The most requested group is first: storage drivers that stack layers reuse a common beginning.
    # Unknown paths follow, the largest first.
    order = sorted(
        range(len(layers)),
        key=lambda n: (len(groups) if (group := largest_first[n][0]) is None else group, n),
    )
    return LayerPlan((*(layers[n] for n in order), *rest))
