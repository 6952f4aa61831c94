"""HTTP: the only package that knows Starlette, uvicorn and msgspec.

One folder a dialect; dialects never import each other.

base.py        what the API needs of the core
app.py         create_app: every route, and the answers outside a dialect
server.py      HttpServer: a listener that starts, tells its address and stops
protocol.py    limits on the way in: size and time of a request
answer.py      answers in the forms that the dialects share
request_id.py  X-Request-Id
cork.py        answers leave in one piece
direct.py      a shorter way for the POST of a message
resource.py    one path as an ASGI endpoint: method → handler, exception → the dialect's answer
access.py      who is asking, and may they
signature.py   requests signed by the vendor's SDKs
body.py        the request body, bounded in size
faults.py      what can be wrong with a request, whichever dialect it speaks
health.py      /healthz, /readyz
iotda/         the IoTDA v5 dialect
"""
