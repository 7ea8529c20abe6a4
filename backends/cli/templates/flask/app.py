"""New service: a service of HiveMatrix. Pages, a form and an API endpoint; who calls is in caller.py."""

import ipaddress
import os

from flask import Flask, flash, g, jsonify, redirect, render_template, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from caller import Callers, token_required

# The name in the registry, the first part of every address: /new-service/…
NAME = "new-service"
# Where it listens, unless LISTEN says otherwise.
LISTEN = "127.0.0.1:5099"
# Longest note, in characters, and most notes.
LONGEST, MOST = 200, 100

# What people leave here. Put your own data, in a database of your own, in its place.
notes = []


def create_app(callers=None):
    app = Flask(__name__)
    # For flash() only, and new at every start; who is signed in, the token says.
    app.secret_key = os.environ.get("SECRET_KEY") or os.urandom(32)
    # The gateway sets each of these headers, with exactly one value; they make url_for() right.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    app.callers = callers or Callers(
        core=os.environ.get("CORE_SERVICE_URL", "http://127.0.0.1:5000"),
        issuer=os.environ.get("HIVEMATRIX_ISSUER", "hivematrix-core"),
        service=NAME,
    )

    @app.get("/")
    @token_required
    def home():
        return render_template("home.html", user=g.user, notes=notes, typed="", problem=None)

    @app.post("/notes")
    @token_required
    def leave_note():
        typed = request.form.get("text", "")
        text = typed.strip()
        problem = None
        if not text:
            problem = "Please write something."
        elif len(text) > LONGEST:
            problem = f"Please write less: a note can have {LONGEST} characters."
        if problem:
            # Shown again as it was typed.
            return render_template("home.html", user=g.user, notes=notes, typed=typed, problem=problem), 422
        notes.insert(0, f"{text} — {g.user.get('name', '')}")
        del notes[MOST:]
        flash("The note was left.")
        return redirect(url_for("home"), code=303)

    @app.get("/api/notes")
    @token_required(services=True)
    def list_notes():
        return jsonify(notes=notes)

    @app.get("/health")
    def health():
        return jsonify(service=NAME, status="healthy", checks={})

    return app


def loopback(listen):
    """The address and the port. The gateway is the only door: who came past it could be anybody."""
    try:
        host, _, port = listen.rpartition(":")
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return host.strip("[]"), int(port)
    except ValueError:
        pass
    raise SystemExit(f"LISTEN={listen}: this must be a loopback address and a port, such as {LISTEN}")


def main():
    from waitress import create_server

    listen = os.environ.get("LISTEN", LISTEN)
    host, port = loopback(listen)
    try:
        server = create_server(create_app(), host=host, port=port, threads=8)
    except OSError as error:
        raise SystemExit(f"{NAME}: {listen}: {error.strerror}; LISTEN chooses another address")
    print(f"{NAME} answers at http://{listen}", flush=True)
    server.run()


if __name__ == "__main__":
    main()
