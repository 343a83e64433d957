package preprocess

// VerifyForTest opens verify to the tests outside.
func VerifyForTest(data []byte, h Header) error { return verify(data, h) }
