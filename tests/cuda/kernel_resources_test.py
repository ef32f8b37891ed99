"""tools/kernel_resources.py on planted logs: what is granted passes, anything more is named."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "tools", "kernel_resources.py")
KERNEL = """\
ptxas info    : Compiling entry function '{name}' for 'sm_{architecture}'
ptxas info    : Function properties for {name}
    {stack} bytes stack frame, {spilled} bytes spill stores, 0 bytes spill loads
ptxas info    : Used {registers} registers, used 1 barriers, {shared} bytes smem, 400 bytes cmem[0]
"""
PLAIN = {"name": "_Z12split_kernelILi64EfEvPKT0_", "architecture": "90", "stack": 0, "spilled": 0,
         "registers": 40, "shared": 0}


def run(folder, kernels, *words):
    """The tool's exit code and words, where the build said that of its kernels."""
    logs = os.path.join(folder, "CMakeFiles", "tokenmark_cuda.dir", "src", "engine", "cuda")
    os.makedirs(logs, exist_ok=True)
    with open(os.path.join(logs, "norm.cu.o.kernels"), "w", encoding="utf-8") as file:
        file.write("ptxas info    : 0 bytes gmem\n")
        file.writelines(KERNEL.format(**{**PLAIN, **facts}) for facts in kernels)
    done = subprocess.run([sys.executable, TOOL, folder, "--table", os.path.join(folder, "table"),
                           *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def expect(folder, kernels, code, text):
    found = run(folder, kernels)
    assert found[0] == code and text in found[1], (kernels, code, text, found)


def main():
    with tempfile.TemporaryDirectory() as folder:
        assert run(folder, [])[0] == 77
        assert run(folder, [{}, {"registers": 33, "architecture": "80"}], "--write")[0] == 0
        with open(os.path.join(folder, "table"), encoding="utf-8") as file:
            rows = [line.split() for line in file]
        assert ["split_kernel", "33", "40", "48", "0", "0"] in rows, rows
        expect(folder, [{}], 0, "1 kernels take what they are granted")
        expect(folder, [{"registers": 48}], 0, "")
        expect(folder, [{"registers": 49}], 1, "split_kernel, sm_90: 49 registers, 48 are granted")
        expect(folder, [{}, {"name": "_Z12split_kernelILi128EfEvPKT0_", "registers": 200}], 1,
               "200 registers")
        expect(folder, [{"spilled": 4}], 1, "split_kernel, sm_90: spills 4 bytes")
        expect(folder, [{"stack": 16}], 1, "16 bytes of stack, 0 are granted")
        expect(folder, [{"shared": 16}], 1, "16 bytes of shared memory, 0 are granted")
        expect(folder, [{}, {"name": "_ZN3one10new_kernelEv"}], 1, "new_kernel is not in the table")
        expect(folder, [{"name": "_Z10new_kernel8new_call"}], 1, "there is no such kernel")


main()
