"""Attacks on a registry by unknown clients; each runs in its own process.

    python -m benchmarks.attacks slow HOST:PORT 1000     connections that never finish a request
    python -m benchmarks.attacks names HOST:PORT 9000    requests for new images, all at once
    python -m benchmarks.attacks image HOST:PORT bomb    one request for one image

Prints "ready" once it has begun, and as its last line a JSON object: the number of answers by
status. `slow` runs until SIGTERM, `names` until all but STILL_WAITING requests are answered.
"""

import asyncio
import json
import resource
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

STILL_WAITING = 300
"""Requests for new images that may stay without an answer: those in the queue, and some being
built."""

Answers = Counter[str]


async def slow(host: str, port: int, count: str, answers: Answers) -> None:
    connected = asyncio.Semaphore(0)

    async def connection() -> None:
        while True:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nX-Slow: ")
            connected.release()
            closed = await reader.read() == b""  # the server closes slow connections after a while
            answers["closed"] += closed
            writer.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(int(count)):
            tasks.create_task(connection())
        for _ in range(int(count)):
            await connected.acquire()
        _say("ready")


async def names(host: str, port: int, count: str, answers: Answers) -> None:
    enough = asyncio.Event()

    async def ask(number: int) -> None:
        answers[await _status(host, port, f"stranger{number}")] += 1
        if answers.total() >= int(count) - STILL_WAITING:
            enough.set()

    _say("ready")
    asking = [asyncio.create_task(ask(number)) for number in range(int(count))]
    await enough.wait()
    for task in asking:
        task.cancel()


async def image(host: str, port: int, name: str, answers: Answers) -> None:
    _say("ready")
    answers[await _status(host, port, name)] += 1


async def _status(host: str, port: int, name: str) -> str:
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            f"GET /v2/{name}/manifests/latest HTTP/1.1\r\n"
            "Host: registry.test\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await reader.read()
    except OSError as error:
        return type(error).__name__
    writer.close()
    return answer.split(b" ", 2)[1].decode() if answer else "closed"


ATTACKS: dict[str, Callable[[str, int, str, Answers], Awaitable[None]]] = {
    "slow": slow,
    "names": names,
    "image": image,
}


async def main(attack: str, address: str, argument: str) -> None:
    host, _, port = address.rpartition(":")
    answers: Answers = Counter()
    working = asyncio.ensure_future(ATTACKS[attack](host, int(port), argument, answers))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
    await asyncio.wait([working])
    _say(json.dumps(answers))
    if not working.cancelled():
        working.result()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(*sys.argv[1:]))
