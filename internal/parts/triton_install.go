package parts

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed onnxruntime_backend/model.py
var onnxruntimeBackend []byte

// tritonInstall is what `make parts` put into .cache/triton: the tritonserver inside a Python package.
type tritonInstall struct {
	venv      string // the virtual environment
	packages  string // its site-packages
	server    string // <packages>/pytriton/tritonserver
	libPython string // folder of the shared libpython
	python    string // "3.11"
}

func findTriton() (tritonInstall, error) {
	venv, err := cached("Triton", "triton")
	if err != nil {
		return tritonInstall{}, err
	}
	const script = `import sysconfig as s; print(s.get_path("purelib"), s.get_config_var("LIBDIR"), s.get_python_version(), sep="\n")`
	answer, err := exec.Command(filepath.Join(venv, "bin", "python"), "-c", script).Output()
	if err != nil {
		return tritonInstall{}, fmt.Errorf("ask the Python of %s for its folders: %w: remove it and run `make parts`", venv, err)
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	if len(lines) != 3 {
		return tritonInstall{}, fmt.Errorf("the Python of %s answered %q", venv, answer)
	}
	install := tritonInstall{venv: venv, packages: lines[0], libPython: lines[1], python: lines[2]}
	install.server, err = installed("Triton", filepath.Join(install.packages, "pytriton", "tritonserver"))
	return install, err
}

func (i tritonInstall) binary() string { return filepath.Join(i.server, "bin", "tritonserver") }

func (i tritonInstall) env() []string {
	return withEnv(
		"PATH="+filepath.Join(i.venv, "bin")+":"+os.Getenv("PATH"),
		"PYTHONPATH="+i.packages,
		"LD_LIBRARY_PATH="+i.libraries()+":"+i.libPython,
		"OMP_NUM_THREADS=1",
	)
}

func (i tritonInstall) libraries() string { return filepath.Join(i.packages, "nvidia_pytriton.libs") }

// backends fills a backend directory: `python`, and the same library a second time under the name `onnxruntime` with our model.py
// beside it, which makes it a Python-based backend that runs all models of that name.
func (i tritonInstall) backends(dir string) error {
	source := filepath.Join(i.server, "backends", "python")
	stub := filepath.Join(i.server, "python_backend_stubs", i.python, "triton_python_backend_stub")
	for _, name := range []string{"python", "onnxruntime"} {
		target := filepath.Join(dir, name)
		if err := os.CopyFS(target, os.DirFS(source)); err != nil {
			return err
		}
		library := filepath.Join(target, "libtriton_python.so")
		if err := os.Rename(library, filepath.Join(target, "libtriton_"+name+".so")); err != nil {
			return err
		}
		program, err := os.ReadFile(stub)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(target, filepath.Base(stub)), program, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "onnxruntime", "model.py"), onnxruntimeBackend, 0o644)
}
