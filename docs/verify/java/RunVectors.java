import com.nimbusds.jose.util.JSONObjectUtils;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

/** Prints the verdict of {@link DaypassVerifier} on each vector of a file. */
public final class RunVectors {
    /** Stands still between vectors. */
    private static final class StandingClock implements DaypassVerifier.Clock {
        private final double base;
        private double at;

        StandingClock(double base) {
            this.base = base;
        }

        @Override
        public double time() {
            return base + at;
        }

        @Override
        public double monotonic() {
            return at;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> document = JSONObjectUtils.parse(Files.readString(Path.of(arguments[0])));
        StandingClock clock = new StandingClock(((Number) document.get("base")).doubleValue());
        Map<String, Object> verifiers = JSONObjectUtils.getJSONObject(document, "verifiers");
        Map<String, DaypassVerifier> made = new HashMap<>();
        HttpClient client = HttpClient.newHttpClient();
        for (Map<String, Object> vector : JSONObjectUtils.getJSONObjectArray(document, "vectors")) {
            String name = (String) vector.get("verifier");
            if (!made.containsKey(name)) {
                made.put(name, make(JSONObjectUtils.getJSONObject(verifiers, name), clock));
            }
            if (vector.get("before") instanceof String url) {
                HttpRequest request = HttpRequest.newBuilder(URI.create(own(url))).build();
                client.send(request, HttpResponse.BodyHandlers.discarding());
            }
            if (vector.get("at") instanceof Number at) {
                clock.at = at.doubleValue();
            }
            int times = vector.get("times") instanceof Number number ? number.intValue() : 1;
            String verdicts = verdicts(made.get(name), (String) vector.get("token"), times);
            System.out.println(vector.get("name") + "\t" + verdicts);
        }
        System.exit(0);
    }

    private static String own(String url) {
        return url.replace("{language}", "java");
    }

    private static DaypassVerifier make(Map<String, Object> settings, DaypassVerifier.Clock clock) {
        String issuer = (String) settings.get("issuer");
        String audience = (String) settings.get("audience");
        String url = own((String) settings.get("jwks_url"));
        boolean system = Boolean.TRUE.equals(settings.get("system_clock"));
        if (system && url.equals(issuer + "/.well-known/jwks.json")) {
            return new DaypassVerifier(issuer, audience);
        }
        return new DaypassVerifier(issuer, audience, url, system ? DaypassVerifier.SYSTEM : clock);
    }

    private static String verdicts(DaypassVerifier verifier, String token, int times) throws Exception {
        var pool = Executors.newFixedThreadPool(times);
        try {
            Callable<String> judge = () -> verdict(verifier, token);
            var verdicts = new TreeSet<String>();
            for (var future : pool.invokeAll(Collections.nCopies(times, judge))) {
                verdicts.add(future.get());
            }
            return String.join("+", verdicts);
        } finally {
            pool.shutdown();
        }
    }

    private static String verdict(DaypassVerifier verifier, String token) {
        try {
            return verifier.verify(token).get("sub") instanceof String ? "ok" : "no claims";
        } catch (DaypassVerifier.InvalidToken e) {
            return "invalid";
        } catch (DaypassVerifier.KeysUnavailable e) {
            return "unavailable";
        } catch (RuntimeException | StackOverflowError e) {
            return "failed: " + e.getClass().getSimpleName();
        }
    }
}
