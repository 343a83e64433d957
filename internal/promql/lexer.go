package promql

import (
	"fmt"
	"strings"
)

type kind int

const (
	end    kind = iota
	word        // a metric, a label, a function, a keyword
	number      // also a duration, and a variable of Grafana
	quoted      // a string with its quotes
	sign        // any other character
)

type token struct {
	kind kind
	text string
	at   int // byte at which it begins
}

type lexer struct {
	text string
	at   int
}

func letter(c byte) bool { return c == '_' || c == ':' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

// peek gives the next token and leaves it there.
func (l *lexer) peek() (token, error) {
	at := l.at
	t, err := l.next()
	l.at = at
	return t, err
}

func (l *lexer) next() (token, error) {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '#':
			line := strings.IndexByte(l.text[l.at:], '\n')
			if line < 0 {
				line = len(l.text) - l.at
			}
			l.at += line
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			l.at++
		case letter(c):
			return l.run(word, func(c byte) bool { return letter(c) || digit(c) }), nil
		case digit(c) || c == '.' || c == '$':
			return l.run(number, func(c byte) bool { return letter(c) || digit(c) || c == '.' || c == '$' }), nil
		case c == '"' || c == '\'' || c == '`':
			return l.quoted(c)
		default:
			l.at++
			return token{sign, l.text[l.at-1 : l.at], l.at - 1}, nil
		}
	}
	return token{kind: end, at: len(l.text)}, nil
}

// run takes all that is of one sort.
func (l *lexer) run(k kind, in func(byte) bool) token {
	start := l.at
	for l.at < len(l.text) && in(l.text[l.at]) {
		l.at++
	}
	return token{k, l.text[start:l.at], start}
}

func (l *lexer) quoted(quote byte) (token, error) {
	start := l.at
	for l.at++; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '\\' && quote != '`':
			l.at++
		case c == quote:
			l.at++
			return token{quoted, l.text[start:l.at], start}, nil
		}
	}
	l.at = len(l.text)
	return token{}, fmt.Errorf("byte %d: a string without an end", start)
}
