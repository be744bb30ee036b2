# What the machines of the image "greeting" have beyond Debian.
user { 'greeter':
  ensure => present,
  system => true,
}

file { '/etc/greeting':
  content => "Hello from ${facts['os']['name']} ${facts['os']['release']['major']}, by Puppet\n",
  owner   => 'greeter',
  mode    => '0440',
}
