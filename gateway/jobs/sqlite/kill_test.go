package sqlite

const childVariable = "SQLITE_TEST_CHILD"

func child(path string) {}
