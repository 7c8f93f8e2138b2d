// Receives webhooks of Signalbox and takes only what Signalbox has signed.
// Put the signing secret (whsec_…) into the environment variable SIGNALBOX_SECRET, then: go run receiver.go
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance    = 5 * time.Minute
	maxBodyBytes = 1 << 20
)

// Ids that were handled. Keep them in your database: this map is gone after a restart.
var (
	handled    = map[string]bool{}
	oneAtATime sync.Mutex
	signingKey []byte
)

// Your own work comes here. If it fails, the answer is 500 and Signalbox calls again later.
func handle(event string, data map[string]any) error {
	fmt.Println("handled", event, len(data), "members")
	return nil
}

// Why a call is refused; empty when it is genuine. The body holds the bytes as they came.
func refusal(header http.Header, body []byte) string {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	signatures := header.Get("webhook-signature")
	if id == "" || timestamp == "" || signatures == "" {
		return "a header is missing"
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > tolerance {
		return "the timestamp is too old or too new"
	}
	mac := hmac.New(sha256.New, signingKey)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// While the secret is being changed there are two signatures; one that fits is enough.
	for _, given := range strings.Fields(signatures) {
		if hmac.Equal([]byte(given), []byte(expected)) {
			return ""
		}
	}
	return "the signature does not fit"
}

// The status and the text of the answer.
func take(w http.ResponseWriter, r *http.Request) (int, string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		return http.StatusRequestEntityTooLarge, "too large, or cut short"
	}
	if why := refusal(r.Header, body); why != "" {
		return http.StatusUnauthorized, why
	}
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	id := r.Header.Get("webhook-id")
	if handled[id] {
		return http.StatusOK, "handled before"
	}
	var data map[string]any
	if err := json.Unmarshal(body, &data); err != nil {
		return http.StatusBadRequest, "no JSON object"
	}
	if err := handle(r.Header.Get("x-webhook-event"), data); err != nil {
		log.Print(err)
		return http.StatusInternalServerError, "failed"
	}
	handled[id] = true
	return http.StatusOK, "handled"
}

func main() {
	secret := os.Getenv("SIGNALBOX_SECRET")
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		log.Fatal("Set SIGNALBOX_SECRET to the signing secret of the webhook.")
	}
	signingKey = key
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Listening at http://%s/\n", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, text := take(w, r)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		io.WriteString(w, text)
	})))
}
