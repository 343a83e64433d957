package sqs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	small   = 4 << 10         // bytes of a blob that its item holds itself
	spare   = time.Hour       // how long a blob that no job names is kept
	unnamed = 2 * spare       // after a Put, when Sweep looks whether a job names the blob
	named   = 6 * time.Hour   // between two such looks, as long as one does
	fresh   = 5 * time.Minute // a name may come as much before its job, and clocks may differ by as much
)

// meta is a blob's item. Its bytes are in it, or lie under its gen, elsewhere.
type meta struct {
	digest string
	put    int64
	due    int64
	size   int64
	gen    string // where the bytes are; "" where data holds them
	ready  bool
	trash  string // a gen whose bytes are being deleted
	data   []byte
}

func metaKey(digest string) item { return key("b#"+digest, metaSort) }

// isDigest: 64 small hex digits.
func isDigest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func toMeta(i item) meta {
	digest, _ := strings.CutPrefix(str(i, "pk"), "b#")
	return meta{digest: digest, put: num(i, "put"), due: num(i, "due"), size: num(i, "size"), gen: str(i, "gen"), ready: yes(i, "ready"), trash: str(i, "trash"), data: bin(i, "data")}
}

// Put implements jobs.Blobs. The caller has computed the digest from the bytes.
func (s *Store) Put(ctx context.Context, digest string, data []byte) error {
	if !isDigest(digest) {
		return invalid("a blob is named by its SHA-256 in 64 small hex digits")
	}
	return failure(ctx, s.put(ctx, digest, data))
}

func (s *Store) put(ctx context.Context, digest string, data []byte) error {
	now := s.now()
	w := write{key: metaKey(digest), values: item{
		":put": number(jobs.Micros(now)), ":due": number(jobs.Micros(now.Add(unnamed))), ":w": text(kept), ":size": number(int64(len(data))), ":ready": truth(true),
	}}
	const touch = "SET #put = :put, #due = :due, #w = :w, #size = :size"
	if len(data) <= small {
		w.set, w.values[":data"] = touch+", #ready = :ready, #data = :data", octets(data)
		_, err := s.update(ctx, w.always())
		return err
	}
	// The item comes first, so that bytes without a job are always found again. All who put the same bytes use one gen.
	w.values[":gen"] = text(token())
	delete(w.values, ":ready")
	w.set = touch + ", #gen = if_not_exists(#gen, :gen)"
	i, err := s.update(ctx, w.always())
	if err != nil {
		return err
	}
	m := toMeta(i)
	if m.ready {
		return nil
	}
	if err := s.store(ctx, m, data); err != nil {
		return err
	}
	_, err = s.update(ctx, write{key: w.key, set: "SET #ready = :ready", where: "#gen = :gen", values: item{":ready": truth(true), ":gen": text(m.gen)}})
	if errors.Is(err, errCondition) {
		return unavailable("a blob was deleted while it was put; put it again", err)
	}
	return err
}

// always makes a write one without a condition.
func (w write) always() write {
	w.where = "attribute_not_exists(#never)"
	return w
}

// Blob implements jobs.Blobs.
func (s *Store) Blob(ctx context.Context, digest string) ([]byte, error) {
	missing := fault.New(fault.NotFound, "blob_not_found", "the job store has no blob of this digest")
	if !isDigest(digest) {
		return nil, missing
	}
	i, err := s.item(ctx, metaKey(digest))
	if err != nil {
		return nil, failure(ctx, err)
	}
	m := toMeta(i)
	if !m.ready || m.size < 0 {
		return nil, missing
	}
	if m.gen == "" {
		return append(make([]byte, 0, len(m.data)+1), m.data...), nil
	}
	data, err := s.fetch(ctx, m)
	switch {
	case errors.Is(err, errNoBytes):
		return nil, missing.Wrap(err)
	case err != nil:
		return nil, failure(ctx, err)
	case int64(len(data)) != m.size:
		return nil, damaged(errItem)
	}
	return data, nil
}

// hold notes that a job names blobs. Noting twice is noting once; a note whose job does not come is found by Sweep.
func (s *Store) hold(ctx context.Context, id string, digests []string) error {
	list := make([]ddb.WriteRequest, 0, len(digests))
	for _, d := range digests {
		i := key("b#"+d, refSort+id)
		i["at"] = number(jobs.Micros(s.now()))
		list = append(list, ddb.WriteRequest{PutRequest: &ddb.PutRequest{Item: i}})
	}
	return s.batch(ctx, list)
}

// letGo takes the notes away. Blobs of a job of few are deleted at once where nobody else needs them; those of many are left to Sweep.
func (s *Store) letGo(ctx context.Context, id string, digests []string) error {
	list := make([]ddb.WriteRequest, 0, len(digests))
	for _, d := range digests {
		list = append(list, ddb.WriteRequest{DeleteRequest: &ddb.DeleteRequest{Key: key("b#"+d, refSort+id)}})
	}
	if err := s.batch(ctx, list); err != nil || len(digests) > 25 {
		return err
	}
	return each(ctx, len(digests), func(ctx context.Context, n int) error {
		m, refs, err := s.named(ctx, digests[n])
		if err != nil || m.digest == "" || len(refs) > 0 || m.put+spare.Microseconds() > jobs.Micros(s.now()) {
			return err
		}
		return s.forget(ctx, m)
	})
}

// named reads a blob's item and the first of the jobs that are noted to name it.
func (s *Store) named(ctx context.Context, digest string) (m meta, refs []item, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	where := "#pk = :pk"
	out, err := s.table.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.tables, KeyConditionExpression: &where, ExpressionAttributeNames: aliases(where), ExpressionAttributeValues: item{":pk": text("b#" + digest)},
		ConsistentRead: aws.Bool(true), Limit: aws.Int32(20),
	})
	if err != nil {
		return m, nil, err
	}
	for _, i := range out.Items {
		if str(i, "sk") == metaSort {
			m = toMeta(i)
		} else {
			refs = append(refs, i)
		}
	}
	return m, refs, nil
}

// forget deletes a blob, unless it is put again meanwhile. First its gen changes, so that who puts it again writes other bytes than those that are deleted here.
func (s *Store) forget(ctx context.Context, m meta) error {
	where, values := "#put = :put AND #due = :due", item{":put": number(m.put), ":due": number(m.due)}
	if m.gen == "" && m.trash == "" {
		return s.remove(ctx, metaKey(m.digest), where, values)
	}
	if m.trash == "" {
		w := write{key: metaKey(m.digest), set: "SET #gen = :gen, #trash = :old, #ready = :no", where: where, values: item{
			":gen": text(token()), ":old": text(m.gen), ":no": truth(false), ":put": values[":put"], ":due": values[":due"],
		}}
		if _, err := s.update(ctx, w); errors.Is(err, errCondition) {
			return nil
		} else if err != nil {
			return err
		}
		m.trash = m.gen
	}
	if err := s.discard(ctx, m.digest, m.trash, m.size); err != nil {
		return err
	}
	if err := s.remove(ctx, metaKey(m.digest), where+" AND #trash = :trash AND #ready = :no", item{
		":put": values[":put"], ":due": values[":due"], ":trash": text(m.trash), ":no": truth(false),
	}); err != nil {
		return err
	}
	// Where somebody has put the blob meanwhile, the item is still there, and has no more to throw away.
	_, err := s.update(ctx, write{key: metaKey(m.digest), set: "REMOVE #trash", where: "#trash = :trash", values: item{":trash": text(m.trash)}})
	if errors.Is(err, errCondition) {
		return nil
	}
	return err
}
