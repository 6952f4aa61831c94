"""HTTP: the only package that knows Starlette, uvicorn and msgspec.

One folder a dialect; dialects never import each other.

base.py        what the API needs of the core
app.py         create_app: every route, and the answers outside a dialect
server.py      HttpServer: a listener that starts, tells its address and stops
protocol.py    limits on the way in: size and time of a request
closing.py     how a connection ends, so that its last answer is read; lingering.py is its second half
cycle.py       a running request, and answers in HTTP/1.0
answer.py      answers in the forms that the dialects share
request_id.py  X-Request-Id
cork.py        answers leave in one piece
cors.py        pages of other origins
direct.py      a shorter way for the POST of a message
resource.py    one path as an ASGI endpoint: method → handler, exception → the dialect's answer
access.py      who is asking, and may they
signature.py   requests signed by the vendor's SDKs
body.py        the request body, bounded in size
error_fields.py  the header fields that belong to an error
faults.py      what can be wrong with a request, whichever dialect it speaks
front_page.py  /, /docs; manual.py is the text, accept.py the choice of its form
health.py      /healthz, /readyz
operation.py   what is said about a route, next to it
schema.py      what is said about a field besides its type
openapi.py     /openapi.json, made of both; how to describe a new route
document.py    what stands in it
components.py  the types of bodies in it
connection.py  whether the client is still there, for handlers that wait
json_depth.py  how deep JSON nests
iotda/         the IoTDA v5 dialect
dsps/          the DSPS dialect: channels and polling subscribers
"""
