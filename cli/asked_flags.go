package cli

// askFlags say who asks a gateway that runs, and how the answer is shown.
type askFlags struct {
	Key    string   `placeholder:"KEY" help:"Who asks, where the gateway wants to know; none: TRITON_GATEWAY_KEY of the environment, where others do not see it."`
	Header []string `placeholder:"'NAME: VALUE'" sep:"none" help:"Sent with each request; repeatable. For a proxy that asks who you are."`
	JSON   bool     `name:"json" help:"Print the gateway's own documents."`
	tlsFlags
}

// gatewayFlags say which gateway is asked: its public listener.
type gatewayFlags struct {
	URL string `default:"http://localhost:8080" placeholder:"URL" help:"The gateway to ask."`
	askFlags
}

func (f *gatewayFlags) reach(e *Env) (*askedGateway, error) { return f.askFlags.reach(e, f.URL) }

// operatorFlags say which gateway is asked by whoever operates it: its admin listener, where all that they do is answered.
type operatorFlags struct {
	URL string `default:"http://localhost:9090" placeholder:"URL" help:"The gateway's admin listener; or its public one, with a key of scope admin."`
	askFlags
}

func (f *operatorFlags) reach(e *Env) (*askedGateway, error) { return f.askFlags.reach(e, f.URL) }
