package h2

import "encoding/binary"

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Types, flags and settings by RFC 9113, sections 6 and 6.5.2.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePush         = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9

	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	settingTable   = 0x1
	settingPush    = 0x2
	settingStreams = 0x3
	settingWindow  = 0x4
	settingFrame   = 0x5
	settingHeaders = 0x6
)

const (
	headSize     = 9 // of a frame
	prefixSize   = 5 // of a gRPC message: compressed or not, and its length
	firstWindow  = 1<<16 - 1
	firstTable   = 4096 // bytes of HPACK's table
	maxWindow    = 1<<31 - 1
	leastFrame   = 1 << 14 // what every peer takes
	largestFrame = 1<<24 - 1
	lastID       = 1<<31 - 1

	// frameLimit is the longest frame that this side takes: a long one lets an answer be read from the socket straight into its place. Nothing is
	// allocated by it.
	frameLimit = 1 << 20
	// sendLimit is the longest DATA frame sent, whatever the server would take, so that what a call given up leaves behind is short.
	sendLimit = 1 << 18
	// refill is when the connection's receive window is filled up again, in bytes used of it.
	refill = 1 << 30
)

type frame struct {
	length      int
	kind, flags byte
	id          uint32
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

func parseFrame(b []byte) frame {
	return frame{int(b[0])<<16 | int(b[1])<<8 | int(b[2]), b[3], b[4], binary.BigEndian.Uint32(b[5:]) & lastID}
}

func appendFrame(b []byte, length int, kind, flags byte, id uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), kind, flags)
	return binary.BigEndian.AppendUint32(b, id)
}

func appendReset(b []byte, id uint32, code Code) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, frameReset, 0, id), uint32(code))
}

func appendWindow(b []byte, id, more uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, frameWindow, 0, id), more)
}

// appendHello is all that this side ever says about itself.
func appendHello(b []byte) []byte {
	b = append(b, preface...)
	settings := [...]struct {
		id    uint16
		value uint32
	}{{settingPush, 0}, {settingWindow, maxWindow}, {settingFrame, frameLimit}, {settingHeaders, maxHeaders}}
	b = appendFrame(b, 6*len(settings), frameSettings, 0, 0)
	for _, s := range settings {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, s.id), s.value)
	}
	return appendWindow(b, 0, maxWindow-firstWindow)
}
