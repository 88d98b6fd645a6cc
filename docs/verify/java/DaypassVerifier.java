import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.crypto.factories.DefaultJWSVerifierFactory;
import com.nimbusds.jose.jwk.AsymmetricJWK;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.text.ParseException;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Accepts Daypass access tokens (RFC 9068) with Nimbus JOSE+JWT. Copy this file; it needs Java 17 or newer.
 *
 * <pre>
 * var verifier = new DaypassVerifier("https://id.example", "https://api.example"); // one for all threads
 * Map&lt;String, Object&gt; claims = verifier.verify(token);
 * </pre>
 *
 * {@link InvalidToken}: answer 401 with {@code WWW-Authenticate: Bearer error="invalid_token"}.
 * {@link KeysUnavailable}: answer 503 with {@code Retry-After: 10}; the token may well be good.
 *
 * <p>Nimbus parses, and checks the signature. What it leaves open is done here: canonical base64url, bounded times,
 * bindings, and a key cache that asks at most once in 10 s and outlives an outage.
 */
public final class DaypassVerifier {
    /** The service's {@code tokens.algorithm}; "RS256" and "PS256" work as well. */
    private static final Set<String> ALGORITHMS = Set.of("ES256");

    private static final int LEEWAY = 5; // seconds after exp
    private static final int FUTURE = 30; // seconds by which iat and nbf may lie ahead
    private static final int MAX_LIFETIME = 3600; // seconds from iat to exp
    private static final int MAX_TOKEN = 16 * 1024;
    private static final int MAX_JWKS = 512 * 1024;
    private static final double AHEAD = 240; // seconds of age at which keys are renewed in passing,
    private static final double FRESH = 300; // are waited for,
    private static final double STALE = 3600; // and are given up
    private static final double COOL_DOWN = 10; // seconds between two requests for keys
    private static final Duration TIME_OUT = Duration.ofSeconds(2); // for one request

    /** They would change what is signed or where the key is from. Daypass sends none of them. */
    private static final Set<String> FORBIDDEN =
            Set.of("crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "cty", "enc");

    /** The token is not good: 401. The message is for the log, and holds nothing of the token. */
    public static final class InvalidToken extends Exception {
        InvalidToken(String what) {
            super(what);
        }
    }

    /** The token can be judged neither way now: 503. */
    public static final class KeysUnavailable extends Exception {}

    /** The time of day, and one that is never set, both in seconds. */
    public interface Clock {
        double time();

        double monotonic();
    }

    static final Clock SYSTEM = new Clock() {
        @Override
        public double time() {
            return System.currentTimeMillis() / 1e3;
        }

        @Override
        public double monotonic() {
            return System.nanoTime() / 1e9;
        }
    };

    private final String issuer;
    private final String audience;
    private final Clock clock;
    private final Keys keys;

    public DaypassVerifier(String issuer, String audience) {
        this(issuer, audience, issuer + "/.well-known/jwks.json", SYSTEM);
    }

    public DaypassVerifier(String issuer, String audience, String jwksUrl, Clock clock) {
        this.issuer = issuer;
        this.audience = audience;
        this.clock = clock;
        this.keys = new Keys(URI.create(jwksUrl), clock);
    }

    /** The claims of a good token. */
    public Map<String, Object> verify(String token) throws InvalidToken, KeysUnavailable {
        // Nothing is trusted yet: this only refuses, so that junk costs no look-up of keys.
        String[] parts = split(token);
        Map<String, Object> header = parse(parts[0]);
        Map<String, Object> claims = parse(parts[1]);
        checkHeader(header);
        checkClaims(claims);
        String algorithm = (String) header.get("alg");
        JWK jwk = keys.find((String) header.get("kid"), date(claims.get("iat")));
        need(algorithm.equals(jwk.getAlgorithm().getName()), "alg"); // a key has one algorithm
        try {
            JWSObject jws = JWSObject.parse(token);
            Key key = ((AsymmetricJWK) jwk).toPublicKey();
            need(jws.verify(new DefaultJWSVerifierFactory().createJWSVerifier(jws.getHeader(), key)), "signature");
        } catch (ParseException | JOSEException | IllegalArgumentException e) {
            throw new InvalidToken("signature");
        }
        return claims;
    }

    /** Three parts of canonical base64url: Nimbus would pass over white space and other characters. */
    private static String[] split(String token) throws InvalidToken {
        String[] parts = token.length() <= MAX_TOKEN ? token.split("\\.", 4) : new String[0];
        need(parts.length == 3, "malformed");
        for (String part : parts) {
            need(Base64URL.encode(new Base64URL(part).decode()).toString().equals(part), "malformed");
        }
        return parts;
    }

    private static Map<String, Object> parse(String part) throws InvalidToken {
        try {
            Map<String, Object> object = JSONObjectUtils.parse(new Base64URL(part).decodeToString());
            need(object != null, "malformed"); // the text was "null"
            return object;
        } catch (ParseException e) {
            throw new InvalidToken("malformed");
        }
    }

    private static void checkHeader(Map<String, Object> header) throws InvalidToken {
        need(header.get("alg") instanceof String alg && ALGORITHMS.contains(alg), "alg");
        need(Collections.disjoint(header.keySet(), FORBIDDEN), "header");
        // RFC 9068 section 4 knows these two spellings.
        need(header.get("typ") instanceof String typ && typ.matches("(application/)?at\\+jwt"), "typ");
        need(isName(header.get("kid")), "kid");
    }

    /** Each test says what has to hold, so that a missing or odd value fails it. */
    private void checkClaims(Map<String, Object> claims) throws InvalidToken {
        double now = clock.time();
        double exp = date(claims.get("exp"));
        double iat = date(claims.get("iat"));
        double nbf = claims.containsKey("nbf") ? date(claims.get("nbf")) : 0;
        need(issuer.equals(claims.get("iss")), "iss");
        need(now < exp + LEEWAY, "exp");
        need(iat <= now + FUTURE && iat < exp && exp - iat <= MAX_LIFETIME, "iat");
        need(nbf <= now + FUTURE && nbf <= exp, "nbf");
        Object aud = claims.get("aud");
        List<?> audiences = aud instanceof List<?> list ? list : Collections.singletonList(aud);
        need(audiences.stream().allMatch(String.class::isInstance) && audiences.contains(audience), "aud");
        need(isName(claims.get("sub")) && isName(claims.get("client_id")) && isName(claims.get("jti")),
                "sub, client_id or jti");
        need(!claims.containsKey("sid") || isName(claims.get("sid")), "sid");
        need(!claims.containsKey("scope") || claims.get("scope") instanceof String, "scope");
        need(!claims.containsKey("cnf"), "cnf"); // bound to a key of the bearer, whose proof nobody checks here
    }

    private static void need(boolean holds, String what) throws InvalidToken {
        if (!holds) {
            throw new InvalidToken(what);
        }
    }

    /** NaN, which fails every comparison, if it is no date up to the year 9999. */
    private static double date(Object value) {
        double seconds = value instanceof Number number ? number.doubleValue() : Double.NaN;
        return seconds >= 0 && seconds <= 253_402_300_799.0 ? seconds : Double.NaN;
    }

    private static boolean isName(Object value) {
        return value instanceof String text && !text.isEmpty() && text.length() <= 255;
    }

    /** The issuer's public keys, by key id. */
    private static final class Keys {
        private final HttpClient client = HttpClient.newBuilder()
                .connectTimeout(TIME_OUT)
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
        private final URI url;
        private final Clock clock;
        private Map<String, JWK> byId = Map.of();
        private double fetched = Double.NEGATIVE_INFINITY;
        private double fetchedWall = Double.NEGATIVE_INFINITY;
        private double tried = Double.NEGATIVE_INFINITY;
        private boolean failing = true;
        private CompletableFuture<Void> pending; // null: no request is under way

        Keys(URI url, Clock clock) {
            this.url = url;
            this.clock = clock;
        }

        JWK find(String kid, double issuedAt) throws InvalidToken, KeysUnavailable {
            CompletableFuture<Void> awaited = null;
            synchronized (this) {
                double now = clock.monotonic();
                double age = now - fetched;
                boolean unknown = !byId.containsKey(kid);
                if ((unknown || age >= AHEAD) && pending == null && now - tried >= COOL_DOWN) {
                    tried = now;
                    pending = new CompletableFuture<>();
                    fetch(now, clock.time());
                }
                // A key at hand is waited for only to notice its withdrawal, and not in an outage.
                if (unknown || age >= STALE || (age >= FRESH && !failing)) {
                    awaited = pending;
                }
            }
            if (awaited != null) {
                awaited.join(); // at most the time-out of a request
            }
            synchronized (this) {
                if (clock.monotonic() - fetched >= STALE) {
                    throw new KeysUnavailable();
                }
                JWK key = byId.get(kid);
                if (key != null) {
                    return key;
                }
                // In the cool-down, a token that is younger than the keys may have a key younger than them.
                if (failing || !(awaited != null || issuedAt + FUTURE < fetchedWall)) {
                    throw new KeysUnavailable();
                }
            }
            throw new InvalidToken("unknown key");
        }

        private void fetch(double begun, double wall) {
            client.sendAsync(HttpRequest.newBuilder(url).build(), HttpResponse.BodyHandlers.ofInputStream())
                    .thenApplyAsync(Keys::read)
                    .orTimeout(TIME_OUT.toMillis(), TimeUnit.MILLISECONDS)
                    .whenComplete((keys, error) -> settle(keys, error, begun, wall));
        }

        private synchronized void settle(Map<String, JWK> keys, Throwable error, double begun, double wall) {
            failing = error != null;
            if (failing) {
                System.getLogger(DaypassVerifier.class.getName())
                        .log(System.Logger.Level.WARNING, "no keys from {0}, those at hand stay: {1}", url, error);
            } else {
                byId = keys;
                fetched = begun;
                fetchedWall = wall;
            }
            CompletableFuture<Void> done = pending;
            pending = null;
            done.complete(null);
        }

        private static Map<String, JWK> read(HttpResponse<InputStream> response) {
            Map<String, JWK> keys = new HashMap<>();
            try (InputStream stream = response.body()) {
                byte[] body = stream.readNBytes(MAX_JWKS + 1);
                if (response.statusCode() != 200 || body.length > MAX_JWKS) {
                    throw new IOException("status " + response.statusCode() + ", " + body.length + " bytes");
                }
                Map<String, Object> set = JSONObjectUtils.parse(new String(body, StandardCharsets.UTF_8));
                for (Map<String, Object> member : JSONObjectUtils.getJSONObjectArray(set, "keys")) {
                    add(member, keys);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (ParseException e) {
                throw new IllegalStateException("not a key set");
            }
            if (keys.isEmpty()) {
                throw new IllegalStateException("no key of use");
            }
            return keys;
        }

        private static void add(Map<String, Object> member, Map<String, JWK> keys) {
            Object use = member.getOrDefault("use", "sig");
            if (!(member.get("alg") instanceof String alg) || !ALGORITHMS.contains(alg) || !use.equals("sig")) {
                return;
            }
            try {
                JWK key = JWK.parse(member);
                if (key instanceof AsymmetricJWK && isName(key.getKeyID())) {
                    keys.put(key.getKeyID(), key);
                }
            } catch (ParseException | IllegalArgumentException e) {
                // RFC 7517 section 5: what is not understood is passed over.
            }
        }
    }
}
