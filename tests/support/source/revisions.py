"""What tests ask a source."""


async def revision(source, tag):
    """Which one the tag names; its files must be there as well."""
    resolved = await source.resolve(tag)
    await source.read(resolved)
    return resolved.revision
