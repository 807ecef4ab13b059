internal import FoundationEssentials
internal import GB28181

/// A camera as `devices/simulated/*.json` writes it. JSON5: comments and trailing commas are welcome.
private struct CameraFile: Decodable {
    struct Channel: Decodable {
        var id: String
        var name: String
        var clip: String?
        var subClip: String?

        enum CodingKeys: String, CodingKey {
            case id, name, clip
            case subClip = "sub_clip"
        }
    }

    var id: String
    var name: String
    var password: String?
    var manufacturer: String?
    var model: String?
    var protocolVersion: String?
    var transport: CameraConfiguration.Transport?
    var charset: String?
    var expires: Int?
    var keepaliveInterval: Int?
    var channels: [Channel]

    enum CodingKeys: String, CodingKey {
        case id, name, password, manufacturer, model, transport, charset, expires, channels
        case keepaliveInterval = "keepalive_interval"
        case protocolVersion = "protocol_version"
    }
}

package struct CameraFileError: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var reason: String

    package var description: String { "simulated camera \(path): \(reason)" }
}

extension CameraConfiguration {
    /// Reads one camera. Clips are named relative to the file.
    package static func load(path: String) throws(CameraFileError) -> CameraConfiguration {
        let file: CameraFile
        do {
            let decoder = JSONDecoder()
            decoder.allowsJSON5 = true
            file = try decoder.decode(CameraFile.self, from: Data(contentsOf: URL(filePath: path)))
        } catch {
            throw CameraFileError(path: path, reason: "\(error)")
        }
        for id in [file.id] + file.channels.map(\.id) where !GBID(id).isAcceptable {
            throw CameraFileError(path: path, reason: "\"\(id)\" is no ID: 20 digits are usual")
        }
        let charset = file.charset.map { Charset(name: $0) } ?? .gb2312
        guard let charset else { throw CameraFileError(path: path, reason: "charset must be GB2312, GB18030 or UTF-8") }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        return CameraConfiguration(
            id: file.id,
            name: file.name,
            password: file.password ?? "",
            manufacturer: file.manufacturer ?? "gbgate",
            model: file.model ?? "Simulated camera",
            protocolVersion: file.protocolVersion ?? "2.0",
            channels: file.channels.map { channel in
                func path(_ clip: String?) -> String? { clip.map { $0.hasPrefix("/") ? $0 : folder + $0 } }
                return Channel(
                    id: channel.id,
                    name: channel.name,
                    clip: path(channel.clip),
                    subClip: path(channel.subClip)
                )
            },
            transport: file.transport ?? .udp,
            charset: charset,
            expires: max(file.expires ?? 3600, 60),
            keepaliveInterval: max(file.keepaliveInterval ?? 60, 1)
        )
    }

    /// All cameras of a folder, in the order of the file names.
    package static func load(folder: String) throws(CameraFileError) -> [CameraConfiguration] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw CameraFileError(path: folder, reason: "there is no such folder, or it cannot be read")
        }
        var cameras: [CameraConfiguration] = []
        for name in names.sorted() where name.hasSuffix(".json") {
            cameras.append(try load(path: folder + "/" + name))
        }
        return cameras
    }
}
