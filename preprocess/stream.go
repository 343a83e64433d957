package preprocess

// stream resamples a picture by Pillow's rules while it is being decoded, line by line, so that neither the picture nor the image between
// the two passes is ever in memory as a whole. Pillow goes along the lines first and rounds to 8 bits before it goes across; for a
// picture that lies on its side (EXIF 5 to 8) the stored lines are the upright picture's columns, and the order is turned around.
type stream struct {
	width, ch   int // of the stored lines that come in
	cols, rows  lines
	acrossFirst bool
	convert     func(dst, src []byte) // from RGB to gray, or nil
	converted   []byte                // one line of it
	push        func(line []byte)
	resampled   []byte // one line
	y           int    // stored line that comes next
	out         Pixels // still as stored: not turned
}

// newStream makes a picture of cols.out x rows.out pixels into out, which has to have room for it.
// Lines that come in have 3 channels, and ch where convert is nil. quick allows for instructions that not every processor has.
func newStream(cols, rows lines, width, ch int, acrossFirst bool, convert func(dst, src []byte), out []byte, quick bool) *stream {
	s := &stream{width: width, ch: ch, cols: cols, rows: rows, acrossFirst: acrossFirst, convert: convert}
	s.out = Pixels{cols.out, rows.out, ch, out[:cols.out*rows.out*ch]}
	clear(s.out.Data)
	if cols.axis != nil {
		cols.axis.forRow(ch, quick)
	}
	needed := cols.to - cols.from
	if convert != nil {
		s.converted = make([]byte, needed*ch)
	}
	if acrossFirst {
		s.push = rows.across(needed*ch, func(k int, line []byte) { s.cols.row(s.line(k), line, ch) })
		return s
	}
	s.resampled = make([]byte, cols.out*ch)
	s.push = rows.across(cols.out*ch, func(k int, line []byte) { copy(s.line(k), line) })
	return s
}

func (s *stream) line(k int) []byte {
	n := s.out.Width * s.ch
	return s.out.Data[k*n:][:n]
}

// write takes whole stored lines, in order.
func (s *stream) write(data []byte) {
	in := s.ch
	if s.convert != nil {
		in = 3
	}
	for stride := s.width * in; len(data) >= stride; data = data[stride:] {
		if s.y >= s.rows.from && s.y < s.rows.to {
			s.one(data[s.cols.from*in : s.cols.to*in])
		}
		s.y++
	}
}

func (s *stream) one(line []byte) {
	if s.convert != nil {
		s.convert(s.converted, line)
		line = s.converted
	}
	if !s.acrossFirst {
		s.cols.row(s.resampled, line, s.ch)
		line = s.resampled
	}
	s.push(line)
}
