internal import NIOCore
internal import NIOPosix

/// Where this gateway can be reached, as far as it knows: for relays that would go round in circles.
enum OwnAddresses {
    static func hosts() -> Set<String> {
        let devices = (try? System.enumerateDevices()) ?? []
        return Set(devices.compactMap { $0.address?.ipAddress }).union(["localhost", "127.0.0.1", "::1", "0.0.0.0"])
    }

    static func ports(_ configuration: GatewayConfiguration) -> Set<Int> {
        var addresses: [ListenAddress] = []
        if configuration.rtmp.enable { addresses.append(configuration.rtmp.addr) }
        if configuration.rtmp.rtmpsEnable { addresses.append(configuration.rtmp.rtmpsAddr) }
        if configuration.rtsp.enable { addresses.append(configuration.rtsp.addr) }
        if configuration.rtsp.rtspsEnable { addresses.append(configuration.rtsp.rtspsAddr) }
        addresses += HTTPService.listeners(configuration).map(\.address)
        addresses += HTTPService.secureListeners(configuration).map(\.address)
        return Set(addresses.map(\.port)).subtracting([0])
    }
}
