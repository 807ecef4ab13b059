/// What every section of streams over HTTP has.
protocol HTTPSection {
    var enable: Bool { get }
    var enableHttps: Bool { get }
    var urlPattern: String { get }
    var httpListenAddr: ListenAddress { get }
    var httpsListenAddr: ListenAddress { get }
    var httpsCertFile: String { get }
    var httpsKeyFile: String { get }
}

extension HTTPFLVSection: HTTPSection {}
extension HTTPTSSection: HTTPSection {}
extension HTTPFMP4Section: HTTPSection {}
extension HLSSection: HTTPSection {}

/// One form of streams over HTTP, and where it listens: addresses that a section leaves empty are those of `default_http`.
struct HTTPService: Sendable {
    enum Form: String, Hashable, Sendable, CaseIterable {
        case flv = "httpflv"
        case ts = "httpts"
        case fmp4 = "httpfmp4"
        case hls
    }

    let form: Form
    let isOn: Bool
    let isSecureOn: Bool
    let pattern: String
    let address: ListenAddress
    let secureAddress: ListenAddress
    let certificateFile: String
    let keyFile: String
    /// The keys that say where it listens.
    let addressKey: String
    let secureAddressKey: String

    var key: String { form.rawValue }
    var secureKey: String { "\(key).enable_https" }

    static func all(_ configuration: GatewayConfiguration) -> [HTTPService] {
        Form.allCases.map { form in
            let section: any HTTPSection =
                switch form {
                case .flv: configuration.httpflv
                case .ts: configuration.httpts
                case .fmp4: configuration.httpfmp4
                case .hls: configuration.hls
                }
            return HTTPService(form, section, configuration.defaultHttp)
        }
    }

    private init(_ form: Form, _ section: any HTTPSection, _ shared: HTTPListenSection) {
        self.form = form
        isOn = section.enable
        isSecureOn = section.enableHttps
        pattern = section.urlPattern
        let isShared = section.httpListenAddr.isEmpty
        address = isShared ? shared.httpListenAddr : section.httpListenAddr
        addressKey = isShared ? "default_http.http_listen_addr" : "\(form.rawValue).http_listen_addr"
        let isSecureShared = section.httpsListenAddr.isEmpty
        secureAddress = isSecureShared ? shared.httpsListenAddr : section.httpsListenAddr
        secureAddressKey = isSecureShared ? "default_http.https_listen_addr" : "\(form.rawValue).https_listen_addr"
        certificateFile = section.httpsCertFile.isEmpty ? shared.httpsCertFile : section.httpsCertFile
        keyFile = section.httpsKeyFile.isEmpty ? shared.httpsKeyFile : section.httpsKeyFile
    }

    /// Those that are on, by the address that they share.
    static func listeners(_ configuration: GatewayConfiguration) -> [(address: ListenAddress, services: [HTTPService])]
    {
        grouped(all(configuration).filter(\.isOn)) { $0.address }
    }

    static func secureListeners(
        _ configuration: GatewayConfiguration
    ) -> [(address: ListenAddress, services: [HTTPService])] {
        grouped(all(configuration).filter(\.isSecureOn)) { $0.secureAddress }
    }

    private static func grouped(
        _ services: [HTTPService],
        by address: (HTTPService) -> ListenAddress
    ) -> [(address: ListenAddress, services: [HTTPService])] {
        var groups: [(address: ListenAddress, services: [HTTPService])] = []
        for service in services {
            let own = address(service)
            // Port 0 is another port each time: one for all who share the text.
            if let index = groups.firstIndex(where: { $0.address == own }) {
                groups[index].services.append(service)
            } else {
                groups.append((own, [service]))
            }
        }
        return groups
    }
}
