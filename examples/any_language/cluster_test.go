// Tests of an upgrade against the fake cluster, with the standard library: go test cluster_test.go.
package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var client = http.Client{Timeout: 10 * time.Second}

// fakeCluster has the addresses that `fake-cluster --json` prints.
type fakeCluster struct {
	V                                int
	URL, Username, Password, Control string
}

// start serves the scenario until the end of the test, on a clock that stands still.
func start(t *testing.T) *fakeCluster {
	t.Helper()
	server := exec.Command("redis-actions", "fake-cluster", "--scenario", "../scenarios/upgrade.toml",
		"--speed", "0", "--control", "0", "--json", "--until-eof")
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// The server ends with its standard input: also if this process is killed, as by -timeout.
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = server.Process.Kill() })
		_ = server.Wait()
		kill.Stop()
	})
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the fake cluster did not start: %v", err)
	}
	cluster := &fakeCluster{}
	if err := json.Unmarshal(line, cluster); err != nil {
		t.Fatal(err)
	}
	if cluster.V != 1 {
		t.Fatalf("unknown format: %s", line)
	}
	return cluster
}

// request sends a request to the cluster, or to its control API, and decodes the answer.
func (c *fakeCluster) request(t *testing.T, method, url, body string, answer any) int {
	t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(c.Username, c.Password)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	isJSON := strings.HasPrefix(response.Header.Get("Content-Type"), "application/json")
	if answer != nil && isJSON {
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode
}

func TestDatabaseWithoutName(t *testing.T) {
	cluster := start(t)
	var refusal struct {
		ErrorCode string `json:"error_code"`
	}
	status := cluster.request(t, "POST", cluster.URL+"/v1/bdbs", "{}", &refusal)
	if status != 406 || refusal.ErrorCode != "missing_db_name" {
		t.Fatalf("%d %+v", status, refusal)
	}
}

func TestUpgrade(t *testing.T) {
	cluster := start(t)
	var started struct {
		ActionUID string `json:"action_uid"`
	}
	upgrade := cluster.URL + "/v1/bdbs/1/upgrade"
	if status := cluster.request(t, "POST", upgrade, "{}", &started); status != 200 {
		t.Fatalf("the upgrade was refused: %d", status)
	}

	// A minute of the cluster passes before each poll. A 503 does not mean that the action has ended.
	var clock struct{ Elapsed float64 }
	var action struct{ Status string }
	busy := 0
	for polls := 0; action.Status != "completed"; polls++ {
		if polls == 30 || action.Status == "failed" {
			t.Fatalf("after %d polls: %+v", polls, action)
		}
		cluster.request(t, "POST", cluster.Control+"clock", `{"jump": 60}`, &clock)
		path := "/v1/actions/" + started.ActionUID
		if cluster.request(t, "GET", cluster.URL+path, "", &action) == 503 {
			busy++
		}
	}
	if busy != 3 || clock.Elapsed != 900 {
		t.Fatalf("%d answers of 503, and %v s", busy, clock.Elapsed)
	}

	var seen struct{ Requests []struct{ Path string } }
	cluster.request(t, "GET", cluster.Control+"requests", "", &seen)
	upgrades := 0
	for _, request := range seen.Requests {
		if request.Path == "/v1/bdbs/1/upgrade" {
			upgrades++
		}
	}
	if upgrades != 1 {
		t.Fatalf("%d calls of the upgrade", upgrades)
	}
}

func TestInjectedError(t *testing.T) {
	cluster := start(t)
	fault := `{"method": "GET", "path": "/v1/bdbs/1", "status": 500}`
	if status := cluster.request(t, "POST", cluster.Control+"inject", fault, nil); status != 200 {
		t.Fatalf("the fault was refused: %d", status)
	}
	for _, expected := range []int{500, 200} {
		status := cluster.request(t, "GET", cluster.URL+"/v1/bdbs/1", "", nil)
		if status != expected {
			t.Fatalf("%d, not %d", status, expected)
		}
	}
}

func TestWrongFieldIsNamed(t *testing.T) {
	cluster := start(t)
	var refusal struct{ Error, Field string }
	status := cluster.request(t, "POST", cluster.Control+"clock", `{"jump": -1}`, &refusal)
	if status != 400 || refusal.Field != "$.jump" {
		t.Fatalf("%d %+v", status, refusal)
	}
}
