import Foundation
import Testing

@testable import Transport

/// A folder with certificates of its own, made by openssl for the one test; it goes with the object.
final class TestCertificate: Sendable {
    let folder: String

    var certificateFile: String { folder + "/cert.pem" }
    var keyFile: String { folder + "/key.pem" }

    init() throws {
        folder = NSTemporaryDirectory() + "gbgate-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try make()
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Writes a certificate for localhost with a key of its own.
    func make(name: String = "localhost", prefix: String = "") throws {
        _ = try Tool.output(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            folder + "/\(prefix)key.pem",
            "-out",
            folder + "/\(prefix)cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=\(name)",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-batch"
        )
        try #require(FileManager.default.fileExists(atPath: folder + "/\(prefix)cert.pem"))
    }

    func load() throws -> TLSCertificate {
        try TLSCertificate(certificateFile: certificateFile, keyFile: keyFile)
    }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
    }
}
