// Registers a service by Curator's own x-discovery, told what to do by lines on stdin; each is answered by a line on stdout.
// The package is Spring's, so that the payload carries the class name that Spring Cloud ZooKeeper writes.
package org.springframework.cloud.zookeeper.discovery;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.ServiceType;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

class CuratorRegistrant {
  public static void main(String[] args) throws Exception {
    // Run from its source, its classes are known to a loader of their own.
    Thread.currentThread().setContextClassLoader(CuratorRegistrant.class.getClassLoader());
    String connect = args[0];
    String base = args[1];
    CuratorFramework client = CuratorFrameworkFactory.newClient(connect, 2000, 5000, new RetryOneTime(200));
    client.start();
    // By default Curator writes no "enabled", so that its older readers can go on.
    boolean compatible = args[2].equals("compatible");
    JsonInstanceSerializer<ZookeeperInstance> serializer =
        new JsonInstanceSerializer<>(ZookeeperInstance.class, compatible);
    ServiceDiscovery<ZookeeperInstance> discovery =
        ServiceDiscoveryBuilder.builder(ZookeeperInstance.class).client(client).basePath(base).serializer(serializer).build();
    discovery.start();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println("ready");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", 7);
      try {
        switch (words[0]) {
          case "register":
            discovery.registerService(instance(words));
            System.out.println("done");
            break;
          case "update":
            discovery.updateService(instance(words));
            System.out.println("done");
            break;
          case "leave":
            discovery.unregisterService(instance(words));
            System.out.println("done");
            break;
          case "read":
            ServiceInstance<ZookeeperInstance> read = serializer.deserialize(line.substring(5).getBytes(StandardCharsets.UTF_8));
            System.out.println(read.getAddress() + " " + read.getPort() + " " + read.isEnabled());
            break;
          default:
            System.out.println("unknown");
        }
      } catch (Exception failure) {
        System.out.println("failed " + failure.getClass().getSimpleName());
      }
    }
  }

  /** verb, name, id, address, port, UP or another status, enabled or disabled */
  private static ServiceInstance<ZookeeperInstance> instance(String[] words) throws Exception {
    Map<String, String> metadata = new HashMap<>();
    metadata.put("instance_status", words[5]);
    ServiceInstanceBuilder<ZookeeperInstance> builder = ServiceInstance.<ZookeeperInstance>builder();
    return builder
        .name(words[1])
        .id(words[2])
        .address(words[3])
        .port(Integer.parseInt(words[4]))
        .serviceType(ServiceType.DYNAMIC)
        .payload(new ZookeeperInstance("application-1", words[1], metadata))
        .uriSpec(new UriSpec("{scheme}://{address}:{port}"))
        .enabled(words[6].equals("enabled"))
        .build();
  }
}

class ZookeeperInstance {
  private String id;
  private String name;
  private Map<String, String> metadata = new HashMap<>();

  ZookeeperInstance() {}

  ZookeeperInstance(String id, String name, Map<String, String> metadata) {
    this.id = id;
    this.name = name;
    this.metadata = metadata;
  }

  public String getId() {
    return id;
  }

  public void setId(String id) {
    this.id = id;
  }

  public String getName() {
    return name;
  }

  public void setName(String name) {
    this.name = name;
  }

  public Map<String, String> getMetadata() {
    return metadata;
  }

  public void setMetadata(Map<String, String> metadata) {
    this.metadata = metadata;
  }
}
