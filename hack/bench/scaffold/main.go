// Scaffold is the operator that hack/bench/operator compares ours with: controller-runtime as kubebuilder sets it up,
// with its default caches, on the same SmtpRelays. It makes a ServiceAccount, a ConfigMap, a DaemonSet and a Service of
// each, and looks at the Secret that it names.
package main

import (
	"errors"
	"flag"
	"net/http"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	namespace := flag.String("namespace", "default", "the namespace that is served")
	health := flag.String("health-addr", "", "where /readyz is answered")
	qps := flag.Float64("qps", 0, "requests a second; 0: as many as it likes, which is controller-runtime's default")
	flag.Parse() // --kubeconfig is controller-runtime's own
	if err := run(*namespace, *health, float32(*qps)); err != nil {
		ctrl.Log.Error(err, "ended")
		os.Exit(1)
	}
}

func run(namespace, health string, qps float32) error {
	ctrl.SetLogger(zap.New())
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, addToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	if qps > 0 {
		config.QPS, config.Burst = qps, int(qps)
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Cache:                   cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		HealthProbeBindAddress:  health,
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		LeaderElection:          true,
		LeaderElectionID:        "scaffold",
		LeaderElectionNamespace: namespace,
	})
	if err != nil {
		return err
	}
	synced := func(request *http.Request) error {
		if !manager.GetCache().WaitForCacheSync(request.Context()) {
			return errors.New("the caches are not filled")
		}
		return nil
	}
	if err := manager.AddReadyzCheck("synced", synced); err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(&Relay{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&appsv1.DaemonSet{}).
		Owns(&corev1.Service{}).
		Complete(&reconciler{manager.GetClient()})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
