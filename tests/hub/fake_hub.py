"""A server on the loopback that plays the Hugging Face hub, with its faults: one repository for
each. Used by hub_test.py. Large files come from "another host" (localhost instead of
127.0.0.1), as the hub's own do."""
import hashlib
import http.server
import json
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    def __init__(self, files):
        """files: repository -> {name: bytes}. `seen` records every request."""
        self.files = files
        self.seen = []
        self.played = {}  # how often a fault was asked for, by its name
        self.lock = threading.Lock()
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                hub.answer(self)

            def do_HEAD(self):
                hub.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that hangs up is what some cases are about

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def play(self, fault, times):
        """True for the first `times` calls with this name."""
        with self.lock:
            self.played[fault] = self.played.get(fault, 0) + 1
            return self.played[fault] <= times

    def downloads(self, repository):
        """GETs of file bytes so far."""
        return [path for verb, path, _ in self.seen
                if verb == "GET" and path.startswith(f"/cdn/{repository}/")]

    def answer(self, request):
        with self.lock:
            self.seen.append((request.command, request.path, dict(request.headers)))
        parts = request.path.strip("/").split("/")
        if parts[0] == "cdn":
            self.serve_bytes(request, "/".join(parts[1:3]), "/".join(parts[3:]))
        elif parts[:2] == ["api", "models"]:
            self.serve_listing(request, "/".join(parts[2:4]))
        else:
            self.serve_file(request, "/".join(parts[:2]), "/".join(parts[4:]))

    def serve_listing(self, request, repository):
        if repository == "org/gated" and "Authorization" not in request.headers:
            return self.reply(request, 401, b"gated")
        if repository == "org/busy" and self.play("busy", 2):
            return self.reply(request, 429, b"slow down", {"Retry-After": "0"})
        if repository == "org/overloaded" and self.play("overloaded", 2):
            return self.reply(request, 503, b"later", {"Retry-After": "0"})
        if repository == "org/down":
            return self.reply(request, 500, b"broken", {"Retry-After": "0"})
        if repository == "org/renamed":
            return self.reply(request, 307, b"", {
                "Location": request.path.replace("org/renamed", "org/tiny")})
        if repository not in self.files:
            return self.reply(request, 404, b"no such repository")
        listing = {"sha": COMMIT,
                   "siblings": [{"rfilename": name} for name in self.files[repository]]}
        return self.reply(request, 200, json.dumps(listing).encode())

    def serve_file(self, request, repository, name):
        if repository == "org/renamed":
            return self.reply(request, 307, b"", {
                "Location": request.path.replace("org/renamed", "org/tiny")})
        data = self.files.get(repository, {}).get(name)
        if data is None:
            return self.reply(request, 404, b"no such file")
        digest = hashlib.sha256(data).hexdigest()
        if repository == "org/wrong-hash":
            digest = "0" * 64
        location = f"http://localhost:{self.port}/cdn/{repository}/{name}"
        if name.endswith(".safetensors"):
            return self.reply(request, 302, b"", {
                "X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(data)), "Location": location})
        return self.reply(request, 200, data, {
            "X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'})

    def serve_bytes(self, request, repository, name):
        data = self.files[repository][name]
        if repository == "org/too-long":
            data = data + b"more than was promised" * 100
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        begin, status, headers = 0, 200, {"ETag": etag}
        wanted = request.headers.get("Range")
        if wanted and request.headers.get("If-Range") == etag:
            begin = int(wanted.split("=")[1].split("-")[0])
            status = 206
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        if repository == "org/cut" and self.play("cut", 3):
            # A third of what is left, then the connection is gone.
            request.send_response(status)
            for key, value in headers.items():
                request.send_header(key, value)
            request.send_header("Content-Length", str(len(data) - begin))
            request.end_headers()
            request.wfile.write(data[begin:begin + (len(data) - begin) // 3])
            request.wfile.flush()
            request.close_connection = True
            return None
        return self.reply(request, status, data[begin:], headers)

    @staticmethod
    def reply(request, status, body, headers=None):
        request.send_response(status)
        for key, value in (headers or {}).items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
