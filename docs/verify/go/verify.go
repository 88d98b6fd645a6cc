// Package verify accepts Daypass access tokens (RFC 9068) with golang-jwt. Copy this file.
//
//	verifier := verify.New("https://id.example", "https://api.example") // one for all goroutines
//	claims, err := verifier.Verify(token)
//
// ErrInvalid: answer 401 with `WWW-Authenticate: Bearer error="invalid_token"`.
// ErrUnavailable: answer 503 with `Retry-After: 10`; the token may well be good.
//
// golang-jwt parses, and checks the signature; jwkset reads keys. What they leave open is done here: the type, `crit`,
// bounded times, bindings, and a key cache that asks at most once in 10 s and outlives an outage.
package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// The service's `tokens.algorithm`; "RS256" and "PS256" work as well.
var algorithms = []string{"ES256"}

const (
	leeway      = 5    // seconds after `exp`
	future      = 30   // seconds by which `iat` and `nbf` may lie ahead
	maxLifetime = 3600 // seconds from `iat` to `exp`
	maxToken    = 16 << 10
	maxJWKS     = 512 << 10
	ahead       = 240 * time.Second  // age at which keys are renewed in passing,
	fresh       = 300 * time.Second  // are waited for,
	stale       = 3600 * time.Second // and are given up
	coolDown    = 10 * time.Second   // between two requests for keys
	timeOut     = 2 * time.Second    // for one request
)

// They would change what is signed or where the key is from. Daypass sends none of them.
var forbidden = []string{"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "cty", "enc"}

var (
	// ErrInvalid says that the token is not good: 401. Its text is for the log, and holds nothing of the token.
	ErrInvalid = errors.New("invalid token")
	// ErrUnavailable says that the token can be judged neither way now: 503.
	ErrUnavailable = errors.New("the issuer's keys cannot be had now")
)

// Verifier accepts the tokens of one issuer for one audience.
type Verifier struct {
	issuer, audience string
	now              func() time.Time
	parser           *jwt.Parser
	keys             *keys
}

// Option changes a Verifier.
type Option func(*Verifier)

// WithJWKS reads the keys from another URL than the issuer's /.well-known/jwks.json.
func WithJWKS(url string) Option { return func(v *Verifier) { v.keys.url = url } }

// WithClock replaces the clock. Its times have to carry a monotonic reading to be safe from a clock that is set.
func WithClock(now func() time.Time) Option {
	return func(v *Verifier) { v.now, v.keys.now = now, now }
}

// New makes a Verifier.
func New(issuer, audience string, options ...Option) *Verifier {
	parser := jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	v := &Verifier{issuer: issuer, audience: audience, now: time.Now, parser: parser}
	v.keys = &keys{url: issuer + "/.well-known/jwks.json", now: time.Now, client: &http.Client{
		Timeout:       timeOut,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirect") },
	}}
	for _, option := range options {
		option(v)
	}
	return v
}

// Verify returns the claims of a good token.
func (v *Verifier) Verify(token string) (jwt.MapClaims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // Go's base64 would let line ends pass
		return nil, fmt.Errorf("%w: malformed", ErrInvalid)
	}
	claims := jwt.MapClaims{}
	// The parser asks for the key before it looks at the signature: what the token says is not trusted yet, only
	// refused, so that junk costs no look-up of keys.
	_, err := v.parser.ParseWithClaims(token, claims, func(unverified *jwt.Token) (any, error) {
		if err := errors.Join(checkHeader(unverified.Header), v.checkClaims(claims)); err != nil {
			return nil, err
		}
		return v.keys.find(unverified.Header["kid"].(string), unverified.Header["alg"].(string), claims["iat"].(float64))
	})
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, ErrUnavailable):
		return nil, ErrUnavailable
	case errors.Is(err, jwt.ErrTokenUnverifiable): // what the key was asked for in vain
		return nil, fmt.Errorf("%w: %v", ErrInvalid, err)
	default: // the parser's text may quote the token
		return nil, fmt.Errorf("%w: malformed, algorithm or signature", ErrInvalid)
	}
}

func checkHeader(header map[string]any) error {
	for _, name := range forbidden {
		if _, there := header[name]; there {
			return errors.New("header")
		}
	}
	// RFC 9068 section 4 knows these two spellings.
	typ, _ := header["typ"].(string)
	if strings.TrimPrefix(typ, "application/") != "at+jwt" {
		return errors.New("typ")
	}
	if !isName(header["kid"]) {
		return errors.New("kid")
	}
	return nil
}

// Each test says what has to hold, so that a missing or odd value fails it.
func (v *Verifier) checkClaims(claims jwt.MapClaims) error {
	now := float64(v.now().UnixNano()) / 1e9
	exp, hasExp := date(claims["exp"])
	iat, hasIat := date(claims["iat"])
	nbf, hasNbf := date(or(claims, "nbf", 0.0))
	_, bound := claims["cnf"]
	_, scope := or(claims, "scope", "").(string)
	switch {
	case claims["iss"] != v.issuer:
		return errors.New("iss")
	case !(hasExp && now < exp+leeway):
		return errors.New("exp")
	case !(hasIat && iat <= now+future && iat < exp && exp-iat <= maxLifetime):
		return errors.New("iat")
	case !(hasNbf && nbf <= now+future && nbf <= exp):
		return errors.New("nbf")
	case !isFor(claims["aud"], v.audience):
		return errors.New("aud")
	case !isName(claims["sub"]) || !isName(claims["client_id"]) || !isName(claims["jti"]):
		return errors.New("sub, client_id or jti")
	case !isName(or(claims, "sid", "none")) || !scope:
		return errors.New("sid or scope")
	case bound: // to a key of the bearer, whose proof nobody checks here
		return errors.New("cnf")
	}
	return nil
}

func isFor(aud any, audience string) bool {
	if one, is := aud.(string); is {
		return one == audience
	}
	list, _ := aud.([]any)
	for _, one := range list {
		if _, is := one.(string); !is {
			return false
		}
	}
	return slices.Contains(list, any(audience))
}

func date(value any) (float64, bool) {
	number, is := value.(float64)
	return number, is && 0 <= number && number <= 253_402_300_799
}

func isName(value any) bool {
	text, is := value.(string)
	return is && 0 < len(text) && len(text) <= 255
}

func or(claims jwt.MapClaims, name string, absent any) any {
	if value, there := claims[name]; there {
		return value
	}
	return absent
}

type key struct {
	material  any
	algorithm string
}

// keys are the issuer's public keys, by key id.
type keys struct {
	url    string
	client *http.Client
	now    func() time.Time

	mutex          sync.Mutex
	byID           map[string]key
	fetched, tried time.Time     // zero: never
	failed         bool          // whether the last request failed
	pending        chan struct{} // closed when the request under way ends; nil: there is none
}

func (k *keys) age() time.Duration {
	if k.fetched.IsZero() {
		return math.MaxInt64
	}
	return k.now().Sub(k.fetched)
}

func (k *keys) find(id, algorithm string, issuedAt float64) (any, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	age := k.age()
	_, known := k.byID[id]
	if (!known || age >= ahead) && k.pending == nil && (k.tried.IsZero() || k.now().Sub(k.tried) >= coolDown) {
		k.tried, k.pending = k.now(), make(chan struct{})
		go k.fetch(k.tried)
	}
	// A key at hand is waited for only to notice its withdrawal, and not in an outage.
	asked := k.pending != nil && (!known || age >= stale || (age >= fresh && !k.failed))
	if asked {
		pending := k.pending
		k.mutex.Unlock()
		<-pending // at most the client's time-out
		k.mutex.Lock()
	}
	if k.age() >= stale {
		return nil, ErrUnavailable
	}
	if found, known := k.byID[id]; known {
		if found.algorithm != algorithm { // a key has one algorithm
			return nil, errors.New("alg")
		}
		return found.material, nil
	}
	// In the cool-down, a token that is younger than the keys may have a key younger than them.
	if k.failed || !(asked || issuedAt+future < float64(k.fetched.Unix())) {
		return nil, ErrUnavailable
	}
	return nil, errors.New("unknown key")
}

func (k *keys) fetch(begun time.Time) {
	byID, err := k.read()
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.failed = err != nil; k.failed {
		slog.Warn("no keys, those at hand stay", "url", k.url, "error", err)
	} else {
		k.byID, k.fetched = byID, begun
	}
	close(k.pending)
	k.pending = nil
}

func (k *keys) read() (map[string]key, error) {
	response, err := k.client.Get(k.url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxJWKS+1))
	if err != nil || len(body) > maxJWKS {
		return nil, errors.Join(errors.New("too large or too slow"), err)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	byID := map[string]key{}
	for _, raw := range set.Keys {
		// RFC 7517 section 5: what is not understood is passed over.
		jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		m := jwk.Marshal()
		if slices.Contains(algorithms, m.ALG.String()) && (m.USE == "" || m.USE == jwkset.UseSig) && m.KID != "" {
			byID[m.KID] = key{jwk.Key(), m.ALG.String()}
		}
	}
	if len(byID) == 0 {
		return nil, errors.New("no key of use")
	}
	return byID, nil
}
