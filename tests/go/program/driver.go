package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/dynamic-resource-allocation/kubeletplugin"
	"k8s.io/dynamic-resource-allocation/resourceslice"
)

const (
	driverName = "go.example.com"
	vendor     = "go.example.com/device"
	devices    = 4
)

// driver hands out devices that are nothing but a variable of the container.
type driver struct {
	node string
	cdi  string // the folder of CDI's files
}

func runDriver(ctx context.Context, client kubernetes.Interface, node, root string) error {
	kubelet := filepath.Join(root, "var/lib/kubelet")
	data := filepath.Join(kubelet, "plugins", driverName)
	plugin := &driver{node: node, cdi: filepath.Join(root, "var/run/cdi")}
	for _, folder := range []string{data, plugin.cdi} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	helper, err := kubeletplugin.Start(ctx, plugin,
		kubeletplugin.DriverName(driverName),
		kubeletplugin.KubeClient(client),
		kubeletplugin.NodeName(node),
		kubeletplugin.PluginDataDirectoryPath(data),
		kubeletplugin.RegistrarDirectoryPath(filepath.Join(kubelet, "plugins_registry")),
		kubeletplugin.HealthService(false),
	)
	if err != nil {
		return err
	}
	defer helper.Stop()
	if err := helper.PublishResources(ctx, plugin.resources()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// resources are the devices of the node, with an attribute of each type.
func (d *driver) resources() resourceslice.DriverResources {
	slice := resourceslice.Slice{}
	for index := range devices {
		model, number, healthy, version := "go", int64(index), index%2 == 0, "1.2.3"
		slice.Devices = append(slice.Devices, resourceapi.Device{
			Name: fmt.Sprintf("device-%d", index),
			Attributes: map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{
				"model":   {StringValue: &model},
				"index":   {IntValue: &number},
				"healthy": {BoolValue: &healthy},
				"version": {VersionValue: &version},
			},
		})
	}
	return resourceslice.DriverResources{
		Pools: map[string]resourceslice.Pool{d.node: {Slices: []resourceslice.Slice{slice}}},
	}
}

func (d *driver) PrepareResourceClaims(
	_ context.Context, claims []*resourceapi.ResourceClaim,
) (map[types.UID]kubeletplugin.PrepareResult, error) {
	results := map[types.UID]kubeletplugin.PrepareResult{}
	for _, claim := range claims {
		results[claim.UID] = d.prepare(claim)
	}
	return results, nil
}

func (d *driver) prepare(claim *resourceapi.ResourceClaim) kubeletplugin.PrepareResult {
	var prepared kubeletplugin.PrepareResult
	var described []map[string]any
	for _, result := range claim.Status.Allocation.Devices.Results {
		if result.Driver != driverName {
			continue
		}
		name := fmt.Sprintf("%s-%s", claim.UID, result.Device)
		variables := []string{fmt.Sprintf("GO_%s=held", strings.ToUpper(strings.ReplaceAll(result.Device, "-", "_")))}
		described = append(described, map[string]any{
			"name": name, "containerEdits": map[string]any{"env": variables},
		})
		prepared.Devices = append(prepared.Devices, kubeletplugin.Device{
			Requests:     []string{result.Request},
			PoolName:     result.Pool,
			DeviceName:   result.Device,
			CDIDeviceIDs: []string{fmt.Sprintf("%s=%s", vendor, name)},
		})
	}
	content, err := json.Marshal(map[string]any{"cdiVersion": "0.6.0", "kind": vendor, "devices": described})
	if err == nil {
		err = os.WriteFile(d.file(claim.UID), content, 0o644)
	}
	prepared.Err = err
	return prepared
}

func (d *driver) UnprepareResourceClaims(
	_ context.Context, claims []kubeletplugin.NamespacedObject,
) (map[types.UID]error, error) {
	results := map[types.UID]error{}
	for _, claim := range claims {
		err := os.Remove(d.file(claim.UID))
		if os.IsNotExist(err) {
			err = nil
		}
		results[claim.UID] = err
	}
	return results, nil
}

// HandleError ends the program at the first error: the test is to see it.
func (d *driver) HandleError(_ context.Context, err error, message string) {
	fail(fmt.Errorf("%s: %w", message, err))
}

func (d *driver) WatchHealthStatus(context.Context, chan<- kubeletplugin.DeviceHealthReport) error {
	return kubeletplugin.ErrHealthNotSupported
}

func (d *driver) file(claim types.UID) string {
	return filepath.Join(d.cdi, fmt.Sprintf("go.example.com-%s.json", claim))
}
