# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Keys, certificates and kubeconfigs, made once per cluster state. Sourced by rig.sh.
# shellcheck disable=SC2154 # settings are common.sh's

pki_ca() { # NAME CN
	[ -f "$pki/$1.crt" ] && return
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
		-keyout "$pki/$1.key" -out "$pki/$1.crt" -addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}

pki_cert() { # NAME CA SUBJECT [ALT-NAMES]
	local f=$pki/$1
	[ -f "$f.crt" ] && return
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$f.key" -out "$f.csr" 2>/dev/null
	printf '%s\n' keyUsage=critical,digitalSignature,keyEncipherment extendedKeyUsage=serverAuth,clientAuth \
		${4:+subjectAltName=$4} >"$f.ext"
	openssl x509 -req -in "$f.csr" -CA "$pki/$2.crt" -CAkey "$pki/$2.key" -CAcreateserial -days 3650 \
		-extfile "$f.ext" -out "$f.crt" 2>/dev/null
	rm "$f.csr" "$f.ext"
}

pki_kubeconfig() { # NAME of a certificate
	cat >"$pki/$1.kubeconfig" <<-EOF
		apiVersion: v1
		kind: Config
		clusters: [{name: weft, cluster: {server: "https://$lan.11:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
		users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
		contexts: [{name: $1@weft, context: {cluster: weft, user: $1}}]
		current-context: $1@weft
	EOF
}

pki_cluster() {
	local svc=kubernetes.default name
	[ -f "$admin" ] && return
	mkdir -p "$pki"
	pki_ca ca kubernetes-ca
	pki_ca front-proxy-ca front-proxy-ca
	pki_cert apiserver ca /CN=kube-apiserver "DNS:kubernetes,DNS:$svc,DNS:$svc.svc,DNS:$svc.svc.cluster.local,\
DNS:localhost,IP:127.0.0.1,IP:${service_range%.0/*}.1,IP:$lan.11"
	pki_cert kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client
	pki_cert front-proxy-client front-proxy-ca /CN=front-proxy-client
	for name in controller-manager scheduler kube-proxy; do
		pki_cert $name ca "/CN=system:kube-${name#kube-}"
		pki_kubeconfig $name
	done
	openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
	openssl rsa -in "$pki/sa.key" -pubout -out "$pki/sa.pub" 2>/dev/null
	pki_cert admin ca /O=system:masters/CN=admin
	pki_kubeconfig admin
}

pki_node() { # NODE ADDRESS
	pki_cert "$1" ca "/O=system:nodes/CN=system:node:$1" "DNS:$1,IP:$2"
	pki_kubeconfig "$1"
}
