// Package shadow runs a second model beside the one that answers, out of the caller's way, and says how far their answers to the same input lie apart in terms of the task. It knows
// nothing of routes, models or transports: it is given two answers, or one answer and a function that fetches the other.
package shadow
