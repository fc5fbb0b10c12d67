// A driver and a manager as their authors begin them: with client-go's defaults, and with Kubernetes' own library for
// kubelet plugins. Their test runs both in the embedded cluster.
//
//	program driver  -kubeconfig FILE -node NAME -root FOLDER
//	program manager -kubeconfig FILE
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("say what to run: driver or manager"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "where the API server is")
	node := flags.String("node", "", "name of the driver's node")
	root := flags.String("root", "/", "root of that node's file system")
	flags.Parse(os.Args[2:])

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fail(err)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &reporter{next: next, seen: map[string]bool{}} })
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		fail(err)
	}
	switch os.Args[1] {
	case "driver":
		err = runDriver(ctx, client, *node, *root)
	case "manager":
		err = runManager(ctx, client)
	default:
		err = fmt.Errorf("there is no %s", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

// reporter says, once for each, which types of bodies the program sends.
type reporter struct {
	next http.RoundTripper
	lock sync.Mutex
	seen map[string]bool
}

func (r *reporter) RoundTrip(request *http.Request) (*http.Response, error) {
	r.report(request.Header.Get("Content-Type"))
	return r.next.RoundTrip(request)
}

func (r *reporter) report(kind string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if kind != "" && !r.seen[kind] {
		r.seen[kind] = true
		fmt.Println("sends", kind)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
