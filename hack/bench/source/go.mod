module smtp-relay/hack/bench/source

go 1.24.0
