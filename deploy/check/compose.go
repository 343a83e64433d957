package check

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// Load reads a compose file as docker compose does for one profile, with nothing but these variables ("NAME=value") in the environment.
//
// Errors: those of the schema, of names that are used and not there, and of values that are wanted and not set.
func Load(ctx context.Context, file, profile string, env ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithProfiles([]string{profile}), cli.WithEnv(env), cli.WithConsistency(true), cli.WithResolvedPaths(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// Rules say what differs from service to service.
type Rules struct {
	Variables map[string]bool // names that the gateway takes from the environment
	Published []string        // services that have ports outside
	Outward   []string        // services that reach more than the others: all but these are on internal networks alone
}

// Faults lists what is wrong with the services of a project, each as "service: what".
func (r Rules) Faults(p *types.Project) (out []string) {
	for _, name := range p.ServiceNames() {
		s := p.Services[name]
		for _, check := range []func(*types.Project, *types.ServiceConfig) []string{hardened, limited, r.open, r.settings, mounts, awaited} {
			for _, text := range check(p, &s) {
				out = append(out, name+": "+text)
			}
		}
	}
	return out
}

func hardened(_ *types.Project, s *types.ServiceConfig) (out []string) {
	user, _, _ := strings.Cut(s.User, ":")
	for text, wrong := range map[string]bool{
		"its file system can be written to (read_only)":             !s.ReadOnly,
		"it keeps capabilities (cap_drop: [ALL])":                   !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0,
		"it can gain rights (no-new-privileges)":                    !slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
		"its user is root, or not a number that the engine can see": user == "" || user == "0" || strings.Trim(user, "0123456789") != "",
		"it is privileged, or shares what is the host's":            s.Privileged || s.NetworkMode != "" || s.Pid != "" || s.Ipc != "",
		"it has no health check":                                    s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Interval == nil || s.HealthCheck.Timeout == nil || s.HealthCheck.StartPeriod == nil,
		"its log has no end":                                        s.Logging == nil || s.Logging.Options["max-size"] == "",
	} {
		if wrong {
			out = append(out, text)
		}
	}
	if s.Build == nil {
		if err := Pinned(s.Image); err != nil {
			out = append(out, err.Error())
		}
	} else if strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
		out = append(out, "the image that is built has no version")
	}
	slices.Sort(out)
	return out
}

// Pinned is nil where an image is named by a digest, or by a tag of at least two numbers; tags such as latest, 7 or bookworm move.
func Pinned(image string) error {
	name, digest, byDigest := strings.Cut(image, "@")
	_, tag, tagged := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	if byDigest {
		if hex, ok := strings.CutPrefix(digest, "sha256:"); !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
			return fmt.Errorf("image %s: %s is no digest", image, digest)
		}
		return nil
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	if parts := strings.Split(version, "."); !tagged || len(parts) < 2 || slices.Contains(parts, "") || strings.Trim(version, ".0123456789") != "" {
		return fmt.Errorf("image %s: not pinned; name a version of at least two numbers, or a digest", image)
	}
	return nil
}

func limited(_ *types.Project, s *types.ServiceConfig) []string {
	if s.Deploy == nil || s.Deploy.Resources.Limits == nil {
		return []string{"no limits (deploy.resources.limits)"}
	}
	if l := s.Deploy.Resources.Limits; l.MemoryBytes <= 0 || l.NanoCPUs <= 0 || l.Pids <= 0 {
		return []string{"memory, cpus or pids have no limit"}
	}
	return nil
}

// open checks who is reached from outside, and who reaches what is outside.
func (r Rules) open(p *types.Project, s *types.ServiceConfig) (out []string) {
	if published := slices.Contains(r.Published, s.Name); published != (len(s.Ports) > 0) {
		out = append(out, fmt.Sprintf("%d ports are published; wanted: %v", len(s.Ports), published))
	}
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			out = append(out, fmt.Sprintf("port %d is published on %q; there is no authentication", port.Target, port.HostIP))
		}
	}
	outward := len(s.Networks) == 0
	for name := range s.Networks {
		outward = outward || !bool(p.Networks[name].Internal)
	}
	if outward != slices.Contains(r.Outward, s.Name) {
		out = append(out, fmt.Sprintf("on a network that leads outside: %v", outward))
	}
	return out
}

func (r Rules) settings(_ *types.Project, s *types.ServiceConfig) (out []string) {
	for name, value := range s.Environment {
		if strings.HasPrefix(name, "GATEWAY_") && s.Command != nil && slices.Contains(s.Command, "serve") && !r.Variables[name] {
			out = append(out, name+" is no setting of the gateway")
		}
		if value == nil {
			out = append(out, name+" is taken from whoever starts it, without a default")
		}
	}
	slices.Sort(out)
	return out
}

func mounts(p *types.Project, s *types.ServiceConfig) (out []string) {
	for _, v := range s.Volumes {
		switch v.Type {
		case types.VolumeTypeBind:
			if _, err := os.Stat(v.Source); err != nil {
				out = append(out, fmt.Sprintf("%s is not there to be mounted at %s", v.Source, v.Target))
			}
			if !v.ReadOnly {
				out = append(out, fmt.Sprintf("%s can be written to", v.Source))
			}
		case types.VolumeTypeVolume:
			if _, ok := p.Volumes[v.Source]; !ok {
				out = append(out, fmt.Sprintf("there is no volume %q", v.Source))
			}
		default:
			out = append(out, "a mount of type "+v.Type)
		}
	}
	for _, t := range s.Tmpfs {
		if !strings.Contains(t, "size=") {
			out = append(out, t+": memory without a limit")
		}
	}
	return out
}

// awaited checks that who is waited for as healthy is in the same profile: otherwise compose refuses to start.
func awaited(p *types.Project, s *types.ServiceConfig) (out []string) {
	for name, d := range s.DependsOn {
		if _, there := p.Services[name]; !there && d.Required {
			out = append(out, "waits for "+name+", which is not in this profile")
		}
	}
	return out
}
