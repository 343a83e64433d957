package preprocess

import "encoding/binary"

// exifPrefix stands before the TIFF structure in a JPEG's APP1, and sometimes in the other formats.
const exifPrefix = "Exif\x00\x00"

const orientationTag = 0x0112

// exifOrientation reads tag 0x0112 of IFD0 (EXIF 2.3, 4.6.4 A). Whatever is cut, contradictory or out of 1..8 gives 1, as viewers do it.
func exifOrientation(data []byte) int {
	if starts(data, exifPrefix) {
		data = data[len(exifPrefix):]
	}
	if len(data) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := order.Uint32(data[4:])
	if uint64(at)+2 > uint64(len(data)) {
		return 1
	}
	count := int(order.Uint16(data[at:]))
	entries := data[at+2:]
	for i := 0; i < count && len(entries) >= 12; i++ {
		entry := entries[:12]
		entries = entries[12:]
		if order.Uint16(entry) != orientationTag {
			continue
		}
		return orientationValue(order, entry)
	}
	return 1
}

// orientationValue takes BYTE, SHORT and LONG: writers are not careful.
func orientationValue(order binary.ByteOrder, entry []byte) int {
	value := uint32(0)
	switch order.Uint16(entry[2:]) {
	case 1:
		value = uint32(entry[8])
	case 3:
		value = uint32(order.Uint16(entry[8:]))
	case 4:
		value = order.Uint32(entry[8:])
	}
	if order.Uint32(entry[4:]) != 1 || value < 1 || value > 8 {
		return 1
	}
	return int(value)
}
