// Command vectors prints the verdict of the verifier on each vector of a file.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	verify "daypass.example/verify"
)

type document struct {
	Base      int64
	Verifiers map[string]struct {
		Issuer, Audience string
		JWKSURL          string `json:"jwks_url"`
		SystemClock      bool   `json:"system_clock"`
	}
	Vectors []struct {
		Name, Verifier, Token, Before string
		Times                         int
		At                            *int64
	}
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var all document
	if err := json.Unmarshal(text, &all); err != nil {
		log.Fatal(err)
	}
	now := time.Unix(all.Base, 0) // stands still between vectors
	made := map[string]*verify.Verifier{}
	for _, vector := range all.Vectors {
		if made[vector.Verifier] == nil {
			settings := all.Verifiers[vector.Verifier]
			options := []verify.Option{verify.WithJWKS(strings.ReplaceAll(settings.JWKSURL, "{language}", "go"))}
			if !settings.SystemClock {
				options = append(options, verify.WithClock(func() time.Time { return now }))
			}
			made[vector.Verifier] = verify.New(settings.Issuer, settings.Audience, options...)
		}
		if vector.Before != "" {
			response, err := http.Get(strings.ReplaceAll(vector.Before, "{language}", "go"))
			if err != nil {
				log.Fatal(err)
			}
			response.Body.Close()
		}
		if vector.At != nil {
			now = time.Unix(all.Base+*vector.At, 0)
		}
		verdicts := verdictsOf(made[vector.Verifier], vector.Token, max(vector.Times, 1))
		fmt.Printf("%s\t%s\n", vector.Name, strings.Join(verdicts, "+"))
	}
}

// Judges a token so many times at once, and returns the different verdicts.
func verdictsOf(verifier *verify.Verifier, token string, times int) []string {
	verdicts := make([]string, times)
	var group sync.WaitGroup
	for i := range verdicts {
		group.Go(func() { verdicts[i] = verdict(verifier, token) })
	}
	group.Wait()
	slices.Sort(verdicts)
	return slices.Compact(verdicts)
}

func verdict(verifier *verify.Verifier, token string) string {
	claims, err := verifier.Verify(token)
	switch {
	case errors.Is(err, verify.ErrInvalid):
		return "invalid"
	case errors.Is(err, verify.ErrUnavailable):
		return "unavailable"
	case err != nil:
		return "failed: another error"
	}
	if _, is := claims["sub"].(string); !is {
		return "no claims"
	}
	return "ok"
}
