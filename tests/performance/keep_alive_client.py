"""Ask one address again and again over many kept connections: what stands in for wrk where that is not installed.

`python tests/performance/keep_alive_client.py URL CONNECTIONS SECONDS [HEADER...]` writes one line of JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from urllib.parse import urlsplit


def main(arguments):
    """Ask for so many seconds; write requests per second, the 99th percentile in ms, and the statuses."""
    url, connections, seconds, *headers = arguments
    asked = asyncio.run(_load(urlsplit(url), int(connections), float(seconds), headers))
    json.dump(asked, sys.stdout)


async def _load(url, connections, seconds, headers):
    path = f"{url.path}?{url.query}" if url.query else url.path
    request = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {url.netloc}", *headers, "", ""]).encode()
    times_s, statuses = [], Counter()
    started_s = time.perf_counter()
    tasks = [_ask(url.hostname, url.port, request, started_s + seconds, times_s, statuses) for _ in range(connections)]
    await asyncio.gather(*tasks)
    taken_s = time.perf_counter() - started_s
    times_s.sort()
    p99_s = times_s[int(0.99 * (len(times_s) - 1))]
    return {"per_second": len(times_s) / taken_s, "p99_ms": 1_000 * p99_s, "statuses": dict(statuses)}


async def _ask(host, port, request, until_s, times_s, statuses):
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    while (began_s := time.perf_counter()) < until_s:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if status != 304:
            at = head.index(b"content-length: ") + 16
            await reader.readexactly(int(head[at : head.index(b"\r", at)]))
        times_s.append(time.perf_counter() - began_s)
        statuses[status] += 1
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1:])
