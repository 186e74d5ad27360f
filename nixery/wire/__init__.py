"""Wire: what extends uvicorn below the routes.

server.py        listening, signals and the lifespan
protocol.py      one HTTP/1.1 connection: deadlines, pipelining, stalled clients
connections.py   the limit of open connections
zerocopy.py      the ASGI extension "zero copy send"
sendfile.py      sendfile(2) beside an asyncio transport
drain.py         graceful shutdown
"""
