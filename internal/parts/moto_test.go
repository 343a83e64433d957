package parts

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMotoAnswersAsSQS(t *testing.T) {
	_, url := Moto(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"QueueName":"q"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "AmazonSQS.CreateQueue")
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), `/q"`) {
		t.Errorf("%s %s, %v", response.Status, text, err)
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") != "testing" || os.Getenv("AWS_PROFILE") != "" {
		t.Error("the credentials of the machine's user are in use")
	}
}

func TestCloudFormationLintComplains(t *testing.T) {
	root := Root(t)
	path := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(path, []byte("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Colour: blue\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(root, path)
	if err != nil {
		t.Fatal(err)
	}
	if got := CloudFormationLint(t, relative); !strings.Contains(got, "Colour") {
		t.Errorf("a faulty template: %q", got)
	}
}
