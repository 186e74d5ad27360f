"""``nixery serve`` without single-flight: each request does the work again."""

from nixery.cli import main
from nixery.concurrency.single_flight import Flight, SingleFlight


async def alone(_self, _key, work):
    return await work(Flight())


if __name__ == "__main__":
    SingleFlight.run = alone
    main()
