package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"triton-gateway/gateway/cache"
	"triton-gateway/tensor"
)

// fingerprint digests the item and makes the two keys:
//
//	tensor key = tenant, kind, content, model, version, load epoch, digest of the preprocess spec
//	result key = tensor key, digest of the postprocess spec, the request's options in canonical form
func (p *Pipeline) fingerprint(_ context.Context, j *job) error {
	switch {
	case j.byDigest || j.digested:
	case j.kind == imageItem:
		j.content = sha256.Sum256(j.Item.Image.Bytes)
	default:
		j.content = tensorsSum(j.input)
	}
	g := Group(j.model.Name)
	j.tensorKey = cache.Key{Group: g, Sum: sum("triton-gateway/tensor/1", []byte(j.Tenant), []byte(j.kind), j.content[:],
		[]byte(j.model.Name), []byte(j.version.Number), []byte(j.version.Epoch), j.model.preSum[:])}
	j.resultKey = cache.Key{Group: g, Sum: sum("triton-gateway/result/1", j.tensorKey.Sum[:],
		j.model.postSum[:], []byte(j.model.post.Canonical(j.Options)))}
	switch {
	case j.model.Spec.Cache.Disable:
		j.mode = cache.NoStore
	case j.Cache == cache.Default && !p.Models.Fresh():
		j.mode = cache.NoCache // a reload may have gone unseen: what is stored cannot be trusted
	default:
		j.mode = j.Cache
	}
	return nil
}

// sum is the SHA-256 over length-prefixed parts, so that no two lists of parts run together.
func sum(domain string, parts ...[]byte) (out [32]byte) {
	buf := make([]byte, 0, 512)
	buf = appendPart(buf, []byte(domain))
	for _, part := range parts {
		buf = appendPart(buf, part)
	}
	return sha256.Sum256(buf)
}

func appendPart(dst, part []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(part)))
	return append(dst, part...)
}

func tensorsSum(list []tensor.Tensor) (out [32]byte) {
	h := sha256.New()
	for i := range list {
		t := &list[i]
		writePart(h, []byte(t.Name))
		shape := make([]byte, 0, 8*len(t.Shape)+1)
		shape = append(shape, byte(t.DType))
		for _, d := range t.Shape {
			shape = binary.LittleEndian.AppendUint64(shape, uint64(d))
		}
		writePart(h, shape)
		writePart(h, t.Data)
	}
	h.Sum(out[:0])
	return out
}

func writePart(h hash.Hash, part []byte) {
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
	h.Write(part)
}

// etag is weak, because from_cache differs between the first answer and the later ones.
func etag(k cache.Key) string {
	return `W/"` + hex.EncodeToString(k.Sum[:16]) + `"`
}
