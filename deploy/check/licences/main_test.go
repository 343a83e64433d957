package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	bsd := "Redistribution and use in source and binary forms, with or without\nmodification, are permitted"
	for text, want := range map[string]string{
		"Permission is hereby granted, free\n of charge, to any person obtaining a copy": "MIT",
		bsd:                                 "BSD-2-Clause",
		bsd + " Neither the name of Google": "BSD-3-Clause",
		"Apache License\n  Version 2.0, January 2004": "Apache-2.0",
		"Licensed under the Apache License, Version 2.0\n---\nPermission is hereby granted, free of charge, to any person obtaining a copy": "Apache-2.0 MIT",
		"Mozilla Public License Version 2.0 ... GNU General Public License":                                                                 "MPL-2.0",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                                                              "GPL",
		"GNU Lesser General Public License":                                                                                                 "LGPL",
		"All rights reserved.":                                                                                                              "",
		"":                                                                                                                                  "",
	} {
		if got := strings.Join(classify(text), " "); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ file, text, sums, want string }{
		"good":        {"LICENSE", "Permission is hereby granted, free of charge, to any person obtaining a copy", "m v1 h1:x", ""},
		"copyleft":    {"COPYING.txt", "GNU Affero General Public License", "m v1 h1:x", "has the licence AGPL"},
		"unknown":     {"LICENCE.md", "Ask me first.", "m v1 h1:x", "has the licence unknown (LICENCE.md)"},
		"none":        {"README", "MIT", "m v1 h1:x", "has no licence file"},
		"no checksum": {"LICENSE", "Permission is hereby granted, free of charge, to any person obtaining a copy", "m v1/go.mod h1:x", "has no checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := check(module{Path: "m", Version: "v1", Dir: dir}, c.sums)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, not %s", err, c.want)
			}
		})
	}
}
