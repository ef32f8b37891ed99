"""Downloads from a hub on the loopback that has every fault: hub_test.py PROGRAM GOLDEN_FOLDER

Each case runs the program as a person would, with HF_ENDPOINT and an empty HF_HOME, and looks at
the exit code, the message and what lies in the cache afterwards."""
import hashlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from fake_hub import COMMIT, Hub

PROGRAM, GOLDEN = sys.argv[1], sys.argv[2]


def golden_files(name="gpt2"):
    files = {}
    for file_name in ("config.json", "model.safetensors"):
        with open(os.path.join(GOLDEN, name, file_name), "rb") as file:
            files[file_name] = file.read()
    return files


def split_safetensors(data, parts):
    """The same tensors in several files with an index, as large models are stored."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length:]
    files, weight_map = {}, {}
    names = sorted(header)
    for part in range(parts):
        shard = f"model-{part + 1:05d}-of-{parts:05d}.safetensors"
        own, blob = {}, b""
        for name in names[part::parts]:
            begin, end = header[name]["data_offsets"]
            own[name] = dict(header[name], data_offsets=[len(blob), len(blob) + end - begin])
            blob += body[begin:end]
            weight_map[name] = shard
        text = json.dumps(own).encode()
        text += b" " * (-len(text) % 8)
        files[shard] = struct.pack("<Q", len(text)) + text + blob
    files["model.safetensors.index.json"] = json.dumps(
        {"metadata": {"total_size": len(body)}, "weight_map": weight_map}).encode()
    return files


def repositories():
    tiny = golden_files()
    config = {"config.json": tiny["config.json"]}
    extra = {"README.md": b"not needed", "pytorch_model.bin": b"x" * 1000,
             "onnx/model.onnx": b"y" * 1000}
    hostile = {"weight_map": {"a": "../../../../evil.safetensors"}}
    return {
        "org/tiny": {**extra, **tiny},
        "org/sharded": {**config, **split_safetensors(tiny["model.safetensors"], 5)},
        "org/gated": tiny, "org/busy": tiny, "org/overloaded": tiny, "org/cut": tiny,
        "org/down": tiny, "org/wrong-hash": tiny, "org/too-long": tiny,
        "org/bin-only": {**config, "pytorch_model.bin": b"x" * 1000},
        "org/hostile": {**config, "../../../../evil.safetensors": b"evil",
                        "model.safetensors.index.json": json.dumps(hostile).encode()},
        "org/no-model": {"README.md": b"a data set"},
    }


class HubTest(unittest.TestCase):
    def setUp(self):
        self.hub = Hub(repositories())
        self.home = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.hub.close()
        self.home.cleanup()

    def environment(self, **more):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith("HF_") and "proxy" not in key.lower()}
        return {**kept, "HF_ENDPOINT": self.hub.endpoint, "HF_HOME": self.home.name, **more}

    def command(self, model, *options):
        return [PROGRAM, "generate", "--model", model, "--device", "cpu", "--prompt-ids", "1,2,3",
                "--output-length", "3", *options]

    def run_program(self, model, *options, limit=None, **more):
        def before():
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.run(self.command(model, *options), env=self.environment(**more),
                              capture_output=True, text=True, timeout=120, preexec_fn=before,
                              check=False)

    def path(self, repository, *parts):
        folder = "models--" + repository.replace("/", "--")
        return os.path.join(self.home.name, "hub", folder, *parts)

    def good(self, model, *options, **more):
        done = self.run_program(model, *options, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["generated"]

    def refused(self, model, *words, **more):
        done = self.run_program(model, **more)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        return done.stderr

    def test_layout_and_needed_files_only(self):
        tokens = self.good("org/tiny")
        snapshot = self.path("org/tiny", "snapshots", COMMIT)
        self.assertEqual(sorted(os.listdir(snapshot)), ["config.json", "model.safetensors"])
        for name, data in golden_files().items():
            self.assertTrue(os.path.islink(os.path.join(snapshot, name)))
            with open(os.path.join(snapshot, name), "rb") as file:
                self.assertEqual(file.read(), data)
        digest = hashlib.sha256(golden_files()["model.safetensors"]).hexdigest()
        self.assertTrue(os.path.isfile(self.path("org/tiny", "blobs", digest)))
        with open(self.path("org/tiny", "refs", "main"), encoding="ascii") as file:
            self.assertEqual(file.read(), COMMIT)
        self.assertFalse([name for name in os.listdir(self.path("org/tiny", "blobs"))
                          if name.endswith(".incomplete")])
        # The same tokens as from the folder, and again without any network.
        self.assertEqual(tokens, self.good(os.path.join(GOLDEN, "gpt2")))
        self.hub.seen.clear()
        self.assertEqual(tokens, self.good("org/tiny", HF_HUB_OFFLINE="1"))
        self.assertEqual(self.hub.seen, [])

    def test_shards(self):
        self.assertEqual(self.good("org/sharded"), self.good(os.path.join(GOLDEN, "gpt2")))
        self.assertEqual(len(self.hub.downloads("org/sharded")), 5)

    def test_interrupted_download_is_completed(self):
        """As other tools leave a cache behind: the reference is written, a shard is missing."""
        tokens = self.good("org/sharded")
        snapshot = self.path("org/sharded", "snapshots", COMMIT)
        for missing in ("model-00003-of-00005.safetensors", "model.safetensors.index.json",
                        "config.json"):
            link = os.path.join(snapshot, missing)
            os.remove(os.path.realpath(link))  # and the link dangles
            self.refused("org/sharded", "only part", HF_HUB_OFFLINE="1")
            self.assertEqual(tokens, self.good("org/sharded"))
            os.remove(link)
            self.hub.seen.clear()
            self.assertEqual(tokens, self.good("org/sharded"))
            # Its bytes were there: nothing is downloaded again.
            self.assertEqual(self.hub.downloads("org/sharded"), [])

    def test_interrupted_download_of_the_configuration(self):
        self.good("org/tiny")
        os.remove(os.path.join(self.path("org/tiny", "snapshots", COMMIT), "config.json"))
        self.good("org/tiny", "--weights", "random")

    def test_renamed_repository(self):
        self.assertEqual(self.good("org/renamed"), self.good(os.path.join(GOLDEN, "gpt2")))

    def test_token(self):
        self.refused("org/gated", "401", "HF_TOKEN")
        self.good("org/gated", HF_TOKEN="secret")
        elsewhere = [headers for _, path, headers in self.hub.seen if path.startswith("/cdn/")]
        self.assertTrue(elsewhere)
        for headers in elsewhere:
            self.assertNotIn("Authorization", headers)

    def test_token_file(self):
        with open(os.path.join(self.home.name, "token"), "w", encoding="ascii") as file:
            file.write("secret\n")
        self.good("org/gated")

    def test_missing(self):
        self.refused("org/nowhere", "404", "org/nowhere")
        self.refused("org/no-model", "config.json")

    def test_retries(self):
        self.good("org/busy")
        self.good("org/overloaded")
        self.refused("org/down", "500")

    def test_resume_after_cut(self):
        self.assertEqual(self.good("org/cut"), self.good(os.path.join(GOLDEN, "gpt2")))
        ranges = [headers.get("Range") for verb, path, headers in self.hub.seen
                  if verb == "GET" and path.startswith("/cdn/org/cut")]
        self.assertEqual(len(ranges), 4)
        self.assertIsNone(ranges[0])
        self.assertTrue(all(ranges[1:]))

    def test_broken_downloads(self):
        self.refused("org/wrong-hash", "sha256")
        self.refused("org/too-long", "longer")
        for repository in ("org/wrong-hash", "org/too-long"):
            self.assertFalse(os.path.exists(self.path(repository, "refs", "main")))
            snapshot = self.path(repository, "snapshots", COMMIT, "model.safetensors")
            self.assertFalse(os.path.lexists(snapshot))

    def test_hostile_name(self):
        self.refused("org/hostile", "not an acceptable file name")
        for folder, _, names in os.walk(os.path.dirname(self.home.name)):
            if folder.startswith(self.home.name):
                self.assertNotIn("evil.safetensors", names)

    def test_bin_only(self):
        self.refused("org/bin-only", "safetensors", "save_pretrained")

    def test_full_disk(self):
        self.refused("org/tiny", "File too large", limit=20000)
        self.assertEqual(self.good("org/tiny"), self.good(os.path.join(GOLDEN, "gpt2")))

    def test_two_processes(self):
        processes = [subprocess.Popen(self.command("org/sharded"), env=self.environment(),
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                     for _ in range(3)]
        outputs = [process.communicate(timeout=120) for process in processes]
        for process, (_, stderr) in zip(processes, outputs):
            self.assertEqual(process.returncode, 0, stderr)
        self.assertEqual(len({stdout for stdout, _ in outputs}), 1)
        self.assertEqual(len(self.hub.downloads("org/sharded")), 5)

    def test_no_network(self):
        endpoint = {"HF_ENDPOINT": "http://127.0.0.1:9"}
        self.refused("org/tiny", "127.0.0.1:9", **endpoint)

    def test_a_hub_that_never_answers_is_given_up_soon(self):
        """Its queue of connections is full: further ones are neither taken nor refused."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            host, port = silent.getsockname()
            waiting = []
            for _ in range(8):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex((host, port))
            begin = time.monotonic()
            self.refused("org/tiny", f"{host}:{port}",
                         HF_ENDPOINT=f"http://{host}:{port}")
            self.assertLess(time.monotonic() - begin, 8)
            for connection in waiting:
                connection.close()

    def test_random_weights_need_the_configuration_only(self):
        self.good("org/tiny", "--weights", "random")
        self.assertEqual(self.hub.downloads("org/tiny"), [])
        snapshot = self.path("org/tiny", "snapshots", COMMIT)
        self.assertEqual(os.listdir(snapshot), ["config.json"])
        # The weights are fetched once they are wanted.
        self.assertEqual(self.good("org/tiny"), self.good(os.path.join(GOLDEN, "gpt2")))

    def test_revision(self):
        self.good("org/tiny", "--revision", "feature/x")
        self.assertTrue(any("/revision/feature%2Fx" in path for _, path, _ in self.hub.seen))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
