package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var group = schema.GroupVersion{Group: "smtp.buildinglink.com", Version: "v1alpha1"}

// Relay is the part of an SmtpRelay that this operator acts on; all else is left out of its caches.
type Relay struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec   `json:"spec,omitempty"`
	Status            Status `json:"status,omitempty"`
}

type Spec struct {
	Access       Access            `json:"access"`
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	PodMetadata  PodMetadata       `json:"podMetadata,omitempty"`
	Credentials  *Reference        `json:"passwdClientSecretRef,omitempty"`
}

type Access struct {
	AllowedNetworks []string `json:"allowedNetworks"`
}

type PodMetadata struct {
	Labels map[string]string `json:"labels,omitempty"`
}

type Reference struct {
	Name string `json:"name"`
}

type Status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

type RelayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Relay `json:"items"`
}

func addToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypeWithName(group.WithKind("SmtpRelay"), &Relay{})
	scheme.AddKnownTypeWithName(group.WithKind("SmtpRelayList"), &RelayList{})
	metav1.AddToGroupVersion(scheme, group)
	return nil
}

func (r *Relay) DeepCopyObject() runtime.Object { return r.deepCopy() }

func (r *Relay) deepCopy() *Relay {
	copied := *r
	copied.ObjectMeta = *r.ObjectMeta.DeepCopy()
	copied.Spec.Access.AllowedNetworks = append([]string(nil), r.Spec.Access.AllowedNetworks...)
	copied.Spec.NodeSelector = copyOf(r.Spec.NodeSelector)
	copied.Spec.PodMetadata.Labels = copyOf(r.Spec.PodMetadata.Labels)
	if r.Spec.Credentials != nil {
		credentials := *r.Spec.Credentials
		copied.Spec.Credentials = &credentials
	}
	copied.Status.Conditions = append([]metav1.Condition(nil), r.Status.Conditions...)
	return &copied
}

func (l *RelayList) DeepCopyObject() runtime.Object {
	copied := &RelayList{TypeMeta: l.TypeMeta, ListMeta: *l.ListMeta.DeepCopy()}
	for i := range l.Items {
		copied.Items = append(copied.Items, *l.Items[i].deepCopy())
	}
	return copied
}

func copyOf(from map[string]string) map[string]string {
	if from == nil {
		return nil
	}
	to := make(map[string]string, len(from))
	for key, value := range from {
		to[key] = value
	}
	return to
}
