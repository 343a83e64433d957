// Command sbom writes what is inside of an image as CycloneDX 1.6 JSON: the Go modules of the program as the Go linker has recorded them, ONNX Runtime,
// and the Debian packages. The output depends on the input alone: no time, no random number.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"

	"triton-gateway/deploy/check/debian"
)

type settings struct {
	binary, library, libraryVersion, status, packages, version string
}

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "bin/triton-gateway", "the program")
	flag.StringVar(&s.library, "library", "bin/libonnxruntime.so", "ONNX Runtime")
	flag.StringVar(&s.libraryVersion, "library-version", "", "its version")
	flag.StringVar(&s.status, "status", "/var/lib/dpkg/status", "dpkg's list of packages")
	flag.StringVar(&s.packages, "packages", "", "take these packages, with commas between them, and what they need; none: all that are installed")
	flag.StringVar(&s.version, "version", "unknown", "version of the program")
	out := flag.String("out", "-", "file to write; - is standard output")
	flag.Parse()
	if err := run(s, *out); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(s settings, out string) error {
	bom, err := s.bom()
	if err != nil {
		return err
	}
	var w io.Writer = os.Stdout
	if out != "-" {
		file, err := os.Create(out)
		if err != nil {
			return err
		}
		defer file.Close()
		w = file
	}
	return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
}

func (s settings) bom() (*cyclonedx.BOM, error) {
	info, err := buildinfo.ReadFile(s.binary)
	if err != nil {
		return nil, err
	}
	root := cyclonedx.Component{BOMRef: "triton-gateway", Type: cyclonedx.ComponentTypeApplication, Name: "triton-gateway", Version: s.version,
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}}}
	if root.Hashes, err = hashes(s.binary); err != nil {
		return nil, err
	}
	components := []cyclonedx.Component{{BOMRef: "go", Type: cyclonedx.ComponentTypeLibrary, Name: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go"),
		PackageURL: "pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go")}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		url := "pkg:golang/" + m.Path + "@" + m.Version
		components = append(components, cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url})
	}
	runtime := cyclonedx.Component{BOMRef: "onnxruntime", Type: cyclonedx.ComponentTypeLibrary, Name: "onnxruntime", Version: s.libraryVersion,
		PackageURL: "pkg:pypi/onnxruntime@" + s.libraryVersion, Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "MIT"}}}}
	if runtime.Hashes, err = hashes(s.library); err != nil {
		return nil, err
	}
	packages, err := s.debian()
	if err != nil {
		return nil, err
	}
	components = append(append(components, runtime), packages...)
	slices.SortFunc(components, func(a, b cyclonedx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	needs := []string{}
	for _, c := range components {
		needs = append(needs, c.BOMRef)
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &root}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: root.BOMRef, Dependencies: &needs}}
	return bom, nil
}

func (s settings) debian() (out []cyclonedx.Component, err error) {
	file, err := os.Open(s.status)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	status, err := debian.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.status, err)
	}
	names := status.Names()
	if s.packages != "" {
		if names, err = status.Closure(strings.Split(s.packages, ",")...); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no packages are installed", s.status)
	}
	for _, name := range names {
		p := status.Get(name)
		url := fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s&distro=debian-12", p.Name, strings.ReplaceAll(p.Version, "+", "%2B"), p.Arch)
		out = append(out, cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: url})
	}
	return out, nil
}

func hashes(path string) (*[]cyclonedx.Hash, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sha256.Sum256(data))}}, nil
}
