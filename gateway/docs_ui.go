package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// files are the page and the documentation; nothing is loaded from anywhere else.
//
//go:embed web
var files embed.FS

// mediaTypes of the files that are served, by ending.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// asset is one file of the page.
type asset struct {
	body   []byte
	kind   string
	etag   string
	packed bool // body is gzip
}

// registerPages adds the page at /, its files at /ui/, and the documentation at /docs.
func (s *server) registerPages(e *gin.Engine) {
	assets := map[string]asset{}
	err := fs.WalkDir(files, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		plain, packed := strings.CutSuffix(name, ".gz")
		if kind, ok := mediaTypes[path.Ext(plain)]; ok {
			assets[strings.TrimPrefix(plain, "web/")] = asset{body, kind, etagOf(body), packed}
		}
		return nil
	})
	if err != nil {
		panic("gateway: the embedded files cannot be read: " + err.Error()) // they are part of the binary
	}
	for name, a := range assets {
		where := "/ui/" + name
		switch name {
		case "index.html":
			where = "/"
		case "docs.html":
			where = "/docs"
		}
		e.GET(where, secure, a.serve)
		e.HEAD(where, secure, a.serve)
	}
}

// serve answers with the file. Browsers keep it and ask each time whether it has changed.
func (a asset) serve(c *gin.Context) {
	body := a.body
	if a.packed {
		c.Header("Vary", "Accept-Encoding")
		if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
			c.Header("Content-Encoding", "gzip")
		} else if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if body, err = io.ReadAll(z); err != nil {
				body = nil
			}
		}
	}
	serveBytes(c, body, a.kind, a.etag, "no-cache")
}

// etagOf names content by its digest.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// serveBytes answers GET and HEAD with bytes that have an ETag.
func serveBytes(c *gin.Context, body []byte, kind, etag, cacheControl string) {
	h := c.Writer.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", cacheControl)
	if matches(c.Request.Header["If-None-Match"], etag) {
		h.Del("Content-Encoding")
		c.Writer.WriteHeader(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	if c.Request.Method != http.MethodHead {
		_, _ = c.Writer.Write(body)
	}
}
