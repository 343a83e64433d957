package cache

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A value in Redis lies in an envelope, so that what is damaged, cut off, foreign or stored under another key is a miss and never an
// answer. Numbers are little-endian, times are Unix milliseconds:
//
//	0  magic "tgce"      4  format version    5  zero, 3 bytes
//	8  CRC-32C of the key and of all that follows it here
//	12 length of the value
//	16 created           24 expires
//	32 the group's purge token when the value was looked up    40 the token of purges of everything
//	48 the value
//
// The sum finds accidents. It is no proof of origin: whoever may write to the Redis may plant answers.
const (
	envelopeMagic   = "tgce"
	envelopeVersion = 1
	envelopeGroup   = 32
	envelopeAll     = 40
	envelopeHead    = 48
)

// seal appends the envelope of an item to dst, which must be empty.
func seal(dst []byte, key Key, it item, now time.Time) []byte {
	dst = append(dst, envelopeMagic...)
	dst = append(dst, envelopeVersion, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(it.data)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(now.UnixMilli()))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(it.expires.UnixMilli()))
	dst = append(dst, it.stamp.group[:]...)
	dst = append(dst, it.stamp.all[:]...)
	dst = append(dst, it.data...)
	binary.LittleEndian.PutUint32(dst[8:], sumOf(key, dst))
	return dst
}

// unseal gives the item in an envelope. The data is part of raw. ok is false for anything but what seal made for this very key.
func unseal(raw []byte, key Key) (it item, ok bool) {
	if len(raw) < envelopeHead || string(raw[:4]) != envelopeMagic || raw[4] != envelopeVersion || raw[5]|raw[6]|raw[7] != 0 {
		return item{}, false
	}
	if uint64(binary.LittleEndian.Uint32(raw[12:])) != uint64(len(raw)-envelopeHead) || binary.LittleEndian.Uint32(raw[8:]) != sumOf(key, raw) {
		return item{}, false
	}
	created := int64(binary.LittleEndian.Uint64(raw[16:]))
	expires := int64(binary.LittleEndian.Uint64(raw[24:]))
	if created < 0 || expires <= created || expires-created > maxLife.Milliseconds() {
		return item{}, false
	}
	it = item{data: raw[envelopeHead:len(raw):len(raw)], expires: time.UnixMilli(expires), tier: inRedis}
	it.stamp.group = [8]byte(raw[envelopeGroup:])
	it.stamp.all = [8]byte(raw[envelopeAll:])
	return it, true
}

func sumOf(key Key, raw []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // the library's own, computed once
	sum := crc32.Update(0, table, key.Group[:])
	sum = crc32.Update(sum, table, key.Sum[:])
	return crc32.Update(sum, table, raw[12:])
}
