import java.io.BufferedReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** Test of an upgrade against the fake cluster, with the JDK alone: java ClusterTest.java. */
public class ClusterTest {
    static final Duration LIMIT = Duration.ofSeconds(10);

    final HttpClient http = HttpClient.newBuilder().connectTimeout(LIMIT).build();
    final String url, control, credentials;

    ClusterTest(String addresses) {
        url = text(addresses, "url");
        control = text(addresses, "control");
        String user = text(addresses, "username") + ":" + text(addresses, "password");
        credentials = "Basic " + Base64.getEncoder().encodeToString(user.getBytes());
    }

    public static void main(String[] arguments) throws Exception {
        String scenario = arguments.length > 0 ? arguments[0] : "../scenarios/upgrade.toml";
        List<String> command = List.of("redis-actions", "fake-cluster", "--scenario",
            Path.of(scenario).toString(), "--speed", "0", "--control", "0",
            "--json", "--until-eof");
        Process server = new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Runtime.getRuntime().addShutdownHook(new Thread(server::destroy)); // as after Ctrl-C
        try (BufferedReader output = server.inputReader()) {
            String addresses = output.readLine(); // the first line, or null if it has ended
            check(addresses != null, "the fake cluster did not start");
            check(number(addresses, "v") == 1, "unknown format: " + addresses);
            new ClusterTest(addresses).run();
        } finally {
            server.getOutputStream().close(); // its standard input
            if (!server.waitFor(10, TimeUnit.SECONDS)) {
                server.destroyForcibly().waitFor();
            }
        }
    }

    void run() throws Exception {
        refusesADatabaseWithoutAName();
        upgradesADatabase();
        injectsAnError();
        controlNamesTheWrongField();
        System.out.println("passed: 4 tests");
    }

    void refusesADatabaseWithoutAName() throws Exception {
        HttpResponse<String> answer = cluster("POST", "/v1/bdbs", "{}");
        check(answer.statusCode() == 406, answer);
        check(text(answer.body(), "error_code").equals("missing_db_name"), answer);
    }

    void upgradesADatabase() throws Exception {
        HttpResponse<String> started = cluster("POST", "/v1/bdbs/1/upgrade", "{}");
        check(started.statusCode() == 200, started);
        String action = "/v1/actions/" + text(started.body(), "action_uid");

        // A minute of the cluster passes before each poll. A 503 does not mean that it has ended.
        List<String> seen = new ArrayList<>();
        String clock = "";
        while (!seen.contains("completed")) {
            check(seen.size() < 30, "the upgrade has not ended: " + seen);
            clock = fake("POST", "clock", "{\"jump\": 60}").body();
            HttpResponse<String> answer = cluster("GET", action, "");
            seen.add(answer.statusCode() == 503 ? "503" : text(answer.body(), "status"));
        }
        check(seen.stream().filter("503"::equals).count() == 3, seen);
        check(number(clock, "elapsed") == 900, clock);

        String requests = fake("GET", "requests", "").body();
        check(requests.split("/v1/bdbs/1/upgrade", -1).length == 2, "one call of the upgrade");
    }

    void injectsAnError() throws Exception {
        String fault = "{\"method\": \"GET\", \"path\": \"/v1/bdbs/1\", \"status\": 500}";
        HttpResponse<String> injected = fake("POST", "inject", fault);
        check(injected.statusCode() == 200, injected);
        check(cluster("GET", "/v1/bdbs/1", "").statusCode() == 500, "the next answer is an error");
        check(cluster("GET", "/v1/bdbs/1", "").statusCode() == 200, "the one after is none");
    }

    void controlNamesTheWrongField() throws Exception {
        HttpResponse<String> refusal = fake("POST", "clock", "{\"jump\": -1}");
        check(refusal.statusCode() == 400, refusal);
        check(text(refusal.body(), "field").equals("$.jump"), refusal.body());
    }

    HttpResponse<String> cluster(String method, String path, String body) throws Exception {
        return send(method, url + path, body);
    }

    HttpResponse<String> fake(String method, String name, String body) throws Exception {
        return send(method, control + name, body);
    }

    HttpResponse<String> send(String method, String address, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(address)).timeout(LIMIT)
            .header("Authorization", credentials).header("Content-Type", "application/json")
            .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .build();
        return http.send(request, BodyHandlers.ofString());
    }

    /** Returns a field that is a text; a project has a JSON library for that. */
    static String text(String json, String field) {
        return find(json, field, "\"([^\"]*)\"");
    }

    static double number(String json, String field) {
        return Double.parseDouble(find(json, field, "(-?[0-9.]+)"));
    }

    static String find(String json, String field, String value) {
        var match = Pattern.compile("\"" + field + "\" *: *" + value).matcher(json);
        check(match.find(), "no " + field + " in " + json);
        return match.group(1);
    }

    static void check(boolean passed, Object message) {
        if (!passed) {
            throw new AssertionError(message);
        }
    }
}
