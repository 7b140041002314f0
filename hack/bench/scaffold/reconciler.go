package main

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// reconciler is what a scaffolded operator does: a first status, CreateOrUpdate for each child, a last status.
type reconciler struct {
	client.Client
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	relay := &Relay{}
	if err := r.Get(ctx, request.NamespacedName, relay); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if len(relay.Status.Conditions) == 0 {
		if err := r.tell(ctx, relay, metav1.ConditionUnknown, "Reconciling"); err != nil {
			return ctrl.Result{}, err
		}
	}
	if reference := relay.Spec.Credentials; reference != nil {
		key := types.NamespacedName{Namespace: relay.Namespace, Name: reference.Name}
		if err := r.Get(ctx, key, &corev1.Secret{}); err != nil {
			return ctrl.Result{}, err
		}
	}
	for _, child := range children(relay) {
		if err := r.keep(ctx, relay, child); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.tell(ctx, relay, metav1.ConditionTrue, "Reconciled")
}

func (r *reconciler) keep(ctx context.Context, relay *Relay, child child) error {
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, child.object, func() error {
		child.fill()
		return controllerutil.SetControllerReference(relay, child.object, r.Scheme())
	})
	return err
}

func (r *reconciler) tell(ctx context.Context, relay *Relay, status metav1.ConditionStatus, reason string) error {
	changed := meta.SetStatusCondition(&relay.Status.Conditions, metav1.Condition{
		Type: "Ready", Status: status, Reason: reason, Message: reason, ObservedGeneration: relay.Generation})
	if !changed && relay.Status.ObservedGeneration == relay.Generation {
		return nil
	}
	relay.Status.ObservedGeneration = relay.Generation
	return r.Status().Update(ctx, relay)
}

// child is an object, and what makes it as the resource says.
type child struct {
	object client.Object
	fill   func()
}

func children(relay *Relay) []child {
	about := metav1.ObjectMeta{Namespace: relay.Namespace, Name: relay.Name + "-scaffold"}
	labels := map[string]string{"app.kubernetes.io/instance": relay.Name}
	account := &corev1.ServiceAccount{ObjectMeta: about}
	settings := &corev1.ConfigMap{ObjectMeta: about}
	daemons := &appsv1.DaemonSet{ObjectMeta: about}
	service := &corev1.Service{ObjectMeta: about}
	return []child{
		{account, func() {}},
		{settings, func() {
			settings.Data = map[string]string{"networks": strings.Join(relay.Spec.Access.AllowedNetworks, ",")}
		}},
		{daemons, func() { fillDaemonSet(daemons, relay, labels) }},
		{service, func() {
			service.Spec.Selector = labels
			service.Spec.Ports = []corev1.ServicePort{{Name: "tcp-smtp", Port: 25, Protocol: corev1.ProtocolTCP}}
		}},
	}
}

func fillDaemonSet(daemons *appsv1.DaemonSet, relay *Relay, labels map[string]string) {
	daemons.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	template := &daemons.Spec.Template
	template.Labels = copyOf(labels)
	for key, value := range relay.Spec.PodMetadata.Labels {
		template.Labels[key] = value
	}
	template.Spec.NodeSelector = relay.Spec.NodeSelector
	template.Spec.ServiceAccountName = relay.Name + "-scaffold"
	if len(template.Spec.Containers) == 0 {
		template.Spec.Containers = []corev1.Container{{}}
	}
	container := &template.Spec.Containers[0]
	container.Name, container.Image = "relay", "relay:test"
}
