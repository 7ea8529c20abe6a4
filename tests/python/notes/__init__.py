"""A service as the platform's services are written in Flask, and nothing in it for the gateway's sake.

It knows its callers by the token that it is handed (`auth`), its prefix by werkzeug's ProxyFix, and has no CSS. Two of them
run side by side in the cases; SERVICE_NAME tells which one this is, and both call their cookie `session`.
"""

import io
import os
import threading

from flask import (
    Flask,
    Response,
    abort,
    flash,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    session,
    url_for,
)
from werkzeug.middleware.proxy_fix import ProxyFix

from .auth import admin_required, token_required

app = Flask(__name__)
app.config["SERVICE_NAME"] = os.environ["SERVICE_NAME"]
app.config["CORE_SERVICE_URL"] = os.environ["CORE_SERVICE_URL"]
app.secret_key = os.environ["SECRET_KEY"]
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

notes = []
go_on = threading.Event()


@app.route("/")
@token_required
def index():
    session["visits"] = session.get("visits", 0) + 1
    return render_template("index.html", notes=notes, visits=session["visits"])


@app.route("/notes", methods=["POST"])
@token_required
def add():
    text = request.form.get("text", "").strip()
    if not text:
        flash("A note needs a text.", "danger")
        return redirect(url_for("index"))
    notes.append(text)
    flash(f"Added: {text}", "success")
    return redirect(url_for("index"))


@app.route("/notes/<path:name>")
@token_required
def note(name):
    return jsonify(name=name, query=request.query_string.decode(), args=request.args.to_dict(flat=False))


@app.route("/archive/")
@token_required
def archive():
    return render_template("archive.html")


@app.route("/moved")
@token_required
def moved():
    return redirect(url_for("archive", _external=True))


@app.route("/admin")
@admin_required
def admin():
    return jsonify(ok=True)


@app.route("/whoami")
@token_required
def whoami():
    return jsonify(
        user=g.user,
        service=g.service,
        remote_addr=request.remote_addr,
        scheme=request.scheme,
        host=request.host,
        root=request.root_path,
        external=url_for("archive", _external=True),
        cookies=sorted(request.cookies),
        visits=session.get("visits", 0),
        correlation_id=request.headers.get("X-Correlation-ID"),
    )


@app.route("/api/notes", methods=["GET", "POST"])
@token_required
def api_notes():
    if request.method == "POST":
        text = (request.get_json(silent=True) or {}).get("text", "")
        if not text:
            abort(400, description="text is missing")
        notes.append(text)
        return jsonify(success=True, count=len(notes)), 201
    return jsonify(notes=notes, count=len(notes))


@app.route("/api/notes/<int:index>", methods=["PATCH", "DELETE"])
@token_required
def api_note(index):
    if index >= len(notes):
        abort(404, description="there is no such note")
    if request.method == "DELETE":
        notes.pop(index)
        return "", 204
    notes[index] = request.get_json()["text"]
    return jsonify(success=True)


@app.route("/events")
@token_required
def events():
    """Says "first", and the rest only when somebody who has heard that asks for it."""
    go_on.clear()

    def stream():
        yield f"data: {app.config['SERVICE_NAME']} first\n\n"
        go_on.wait(timeout=30)
        yield f"data: {app.config['SERVICE_NAME']} second\n\n"

    return Response(stream(), mimetype="text/event-stream", headers={"Cache-Control": "no-cache"})


@app.route("/events/next", methods=["POST"])
@token_required
def next_event():
    go_on.set()
    return jsonify(success=True)


@app.route("/export.csv")
@token_required
def export():
    data = "".join(f'{number},"{text}"\r\n' for number, text in enumerate(notes)).encode()
    return send_file(
        io.BytesIO(b"number,text\r\n" + data), mimetype="text/csv", as_attachment=True, download_name="my notes.csv"
    )


@app.route("/upload", methods=["POST"])
@token_required
def upload():
    file = request.files["file"]
    return jsonify(name=file.filename, size=len(file.read()), field=request.form["field"])


@app.route("/health")
def health():
    return jsonify(service=app.config["SERVICE_NAME"], status="healthy", checks={})


@app.errorhandler(400)
@app.errorhandler(401)
@app.errorhandler(403)
def refused(error):
    return jsonify(error=error.name, description=error.description), error.code
