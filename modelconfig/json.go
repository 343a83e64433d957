package modelconfig

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// JSON gives the whole config as Triton's HTTP endpoint writes it: the schema's own names in the order of the schema, enums by name, 64-bit
// numbers as numbers, and every plain field, list and map, also where it has its default value. Messages and members of a oneof are there
// where they are set.
//
// Triton's way of it is ModelConfigToJson of triton-inference-server/core (src/model_config_utils.cc).
func (c *Config) JSON() []byte {
	var b bytes.Buffer
	writeMessage(&b, c.message().ProtoReflect())
	return b.Bytes()
}

func writeMessage(b *bytes.Buffer, m protoreflect.Message) {
	b.WriteByte('{')
	fields, first := m.Descriptor().Fields(), true
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.HasPresence() && !m.Has(f) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		writeText(b, string(f.Name()))
		b.WriteByte(':')
		switch v := m.Get(f); {
		case f.IsMap():
			writeMap(b, f.MapValue(), v.Map())
		case f.IsList():
			writeList(b, f, v.List())
		default:
			writeValue(b, f, v)
		}
	}
	b.WriteByte('}')
}

// writeMap writes the entries in the order of their keys.
func writeMap(b *bytes.Buffer, f protoreflect.FieldDescriptor, m protoreflect.Map) {
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return cmp.Compare(a.String(), b.String()) })
	b.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(b, k.String())
		b.WriteByte(':')
		writeValue(b, f, m.Get(k))
	}
	b.WriteByte('}')
}

func writeList(b *bytes.Buffer, f protoreflect.FieldDescriptor, list protoreflect.List) {
	b.WriteByte('[')
	for i := range list.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		writeValue(b, f, list.Get(i))
	}
	b.WriteByte(']')
}

func writeValue(b *bytes.Buffer, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		writeMessage(b, v.Message())
	case protoreflect.EnumKind:
		if known := f.Enum().Values().ByNumber(v.Enum()); known != nil {
			writeText(b, string(known.Name()))
		} else {
			b.WriteString(strconv.Itoa(int(v.Enum())))
		}
	case protoreflect.StringKind:
		writeText(b, v.String())
	case protoreflect.BytesKind:
		writeText(b, base64.StdEncoding.EncodeToString(v.Bytes()))
	case protoreflect.FloatKind:
		writeFloat(b, v.Float(), 32)
	case protoreflect.DoubleKind:
		writeFloat(b, v.Float(), 64)
	default: // bool and integers
		b.WriteString(v.String())
	}
}

// writeFloat writes the shortest number that reads as the same. What JSON has no number for is a text, as protobuf writes it.
func writeFloat(b *bytes.Buffer, v float64, bits int) {
	switch {
	case math.IsNaN(v):
		b.WriteString(`"NaN"`)
	case math.IsInf(v, 1):
		b.WriteString(`"Infinity"`)
	case math.IsInf(v, -1):
		b.WriteString(`"-Infinity"`)
	default:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, bits))
	}
}

// writeText writes a string. Only what JSON cannot hold as it is is escaped, not what HTML or JavaScript may misread.
func writeText(b *bytes.Buffer, s string) {
	const short = "\b\t\n\f\r"
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ':
			b.WriteByte(c)
		case strings.IndexByte(short, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte("btnfr"[strings.IndexByte(short, c)])
		default:
			fmt.Fprintf(b, `\u%04X`, c)
		}
	}
	b.WriteByte('"')
}
