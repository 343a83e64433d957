// Package canary judges a new version by the traffic that it is given, and steps its share up, or to nothing at once. It is pure: it is told what was answered and when, and says what
// is to be done, so that a hundred seeded runs of it are a test.
package canary
