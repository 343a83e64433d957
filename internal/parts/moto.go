package parts

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed moto_server.py
var motoServer string

// Moto runs a moto server until the test ends: it answers as SQS, DynamoDB, S3 and CloudFormation do, and keeps all in memory. It gives the server's URL, and sets
// what the AWS SDK's own chain needs: credentials that are none, and no settings of the machine's user. So tests that use it cannot be parallel.
func Moto(tb testing.TB) (*Process, string) {
	tb.Helper()
	python, err := cached("moto", "moto", "bin", "python")
	Check(tb, err)
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		tb.Setenv(name, "") // is put back after the test
		if err := os.Unsetenv(name); err != nil {
			tb.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		tb.Setenv(name, value)
	}
	address := FreeAddr(tb)
	process := Start(tb, Command{Path: python, Args: []string{"-B", "-c", motoServer, address}, Env: withEnv("PYTHONUNBUFFERED=1")})
	Check(tb, listening(address, process))
	return process, "http://" + address
}

// CloudFormationLint runs cfn-lint, which comes with moto's environment, on a template, its path counted from the module's root. The text is what it complains of; "" is none.
func CloudFormationLint(tb testing.TB, template string) string {
	tb.Helper()
	program, err := cached("cfn-lint", "moto", "bin", "cfn-lint")
	Check(tb, err)
	command := exec.Command(filepath.Join(filepath.Dir(program), "python"), "-B", program, filepath.Join(Root(tb), template))
	out, err := command.CombinedOutput()
	if err != nil && len(out) == 0 {
		return err.Error()
	}
	return string(out)
}
