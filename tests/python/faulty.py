"""Services that do what no service should, one fault each: what `hivematrix doctor` must name.

Each is an application of its own (`faulty:prefix_strict`), otherwise as the platform's services are.
"""

import os
from functools import wraps

import jwt
from flask import Flask, abort, jsonify, redirect, render_template_string, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

NAME = os.environ["SERVICE_NAME"]
PREFIX = "/" + NAME
KEYS = jwt.PyJWKClient(os.environ["CORE_SERVICE_URL"] + "/.well-known/jwks.json")

GOOD_PAGE = """<!doctype html><html><head><title>{{ name }}</title></head><body>
<div class="card"><a href="{{ url_for('index') }}">Home</a><a href="{{ url_for('archive') }}">Archive</a></div>
<script>fetch("{{ url_for('api') }}", { credentials: 'same-origin' });</script></body></html>"""


def service(page=GOOD_PAGE, proxy_fix=True, issuer="hivematrix-core", refuse=None):
    app = Flask(__name__)

    def token_required(view):
        @wraps(view)
        def decorated(*args, **kwargs):
            header = request.headers.get("Authorization", "")
            if not header.startswith("Bearer "):
                return refuse() if refuse else abort(401)
            try:
                token = header.split(" ", 1)[1]
                key = KEYS.get_signing_key_from_jwt(token)
                jwt.decode(token, key.key, algorithms=["RS256"], issuer=issuer)
            except jwt.PyJWTError as error:
                abort(401, description=f"Invalid Token: {error}")
            return view(*args, **kwargs)

        return decorated

    @app.route("/")
    @token_required
    def index():
        return render_template_string(page, name=NAME)

    @app.route("/archive/")
    @token_required
    def archive():
        return render_template_string(page, name=NAME)

    @app.route("/api/data")
    @token_required
    def api():
        return jsonify(ok=True)

    @app.route("/health")
    def health():
        return jsonify(service=os.environ.get("CALLS_ITSELF", NAME), status="healthy")

    @app.errorhandler(401)
    def refused(error):
        return jsonify(error=error.description), 401

    if proxy_fix:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    return app


class PrefixMiddleware:
    """The one that many a tutorial has: cuts a prefix off that the gateway has cut off already."""

    def __init__(self, app, strict):
        self.app, self.strict = app, strict

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX + "/"):
            environ["PATH_INFO"] = path[len(PREFIX) :]
        elif self.strict:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"This url does not belong to the app."]
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + PREFIX
        return self.app(environ, start_response)


good = service()

prefix_strict = service(proxy_fix=False)
prefix_strict.wsgi_app = PrefixMiddleware(prefix_strict.wsgi_app, strict=True)

prefix_fixed = service(proxy_fix=False)
prefix_fixed.wsgi_app = PrefixMiddleware(prefix_fixed.wsgi_app, strict=False)

prefix_twice = service(proxy_fix=False)
prefix_twice.wsgi_app = ProxyFix(
    PrefixMiddleware(prefix_twice.wsgi_app, strict=False), x_for=1, x_proto=1, x_host=1, x_prefix=1
)

prefix_missing = service(proxy_fix=False)

script_absolute = service(page=GOOD_PAGE.replace("{{ url_for('api') }}", "/api/data"))

styles = service(
    page=GOOD_PAGE.replace("</head>", '<link rel="stylesheet" href="/static/css/global.css"><style>.card{}</style></head>')
)

script_bare = service(page=GOOD_PAGE.replace(", { credentials: 'same-origin' }", ""))

script_redirected = service(refuse=lambda: redirect("/login?next=" + request.path))

wrong_issuer = service(issuer="hivematrix.core")
