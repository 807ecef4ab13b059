#if TLS
import Foundation
import Hub
import NIOCore
import Testing

@testable import Transport

@Suite(.enabled(if: Tool.exist("openssl"), "needs openssl"))
struct TLSCertificateTests {
    @Test func faultsNameTheFileAndWhatIsWrongWithIt() throws {
        let files = try TestCertificate()
        try files.make(prefix: "other-")
        try files.write("no PEM", to: "text.pem")
        try files.write("", to: "empty.pem")
        func fault(_ certificate: String, _ key: String) -> String {
            do throws(TLSFault) {
                _ = try TLSCertificate(certificateFile: certificate, keyFile: key)
                return ""
            } catch {
                return error.description
            }
        }
        let (good, key) = (files.certificateFile, files.keyFile)
        let cases = [
            (fault("", key), "no certificate file is configured"),
            (fault(good, ""), "no key file is configured"),
            (
                fault("/nowhere/c.pem", key),
                "cannot open the certificate file /nowhere/c.pem: No such file or directory"
            ),
            (fault(good, "/nowhere/k.pem"), "cannot open the key file /nowhere/k.pem: No such file or directory"),
            (fault(files.folder, key), "the certificate file \(files.folder) is no regular file"),
            (
                fault(files.folder + "/text.pem", key),
                "the certificate file \(files.folder)/text.pem is no PEM file with certificates"
            ),
            (
                fault(files.folder + "/empty.pem", key),
                "the certificate file \(files.folder)/empty.pem is no PEM file with certificates"
            ),
            (
                fault(good, files.folder + "/text.pem"),
                "the key file \(files.folder)/text.pem is no PEM file with a key that is not encrypted"
            ),
            (
                fault(good, files.folder + "/other-key.pem"),
                "the key file \(files.folder)/other-key.pem is not of the first certificate in \(good)"
            ),
            (fault(good, key), ""),
        ]
        for (fault, expected) in cases { #expect(fault == expected) }
    }

    @Test func warnsOfACertificateThatExpires() throws {
        let certificate = try TestCertificate().load()
        let end = certificate.notAfter
        #expect(certificate.warning(atUnixSecond: end - 40 * 86400) == nil)
        #expect(certificate.warning(atUnixSecond: end - 3 * 86400 - 1)?.contains("expires in 3 days") == true)
        #expect(certificate.warning(atUnixSecond: end + 1)?.contains("has expired") == true)
    }

    @Test func renewedCertificateIsUsedAndABrokenOneIsNot() async throws {
        let files = try TestCertificate()
        let events = Collected<TLSCertificate.Event>()
        let certificate = try TLSCertificate(
            certificateFile: files.certificateFile,
            keyFile: files.keyFile,
            onEvent: { events.add($0) }
        )
        try await MediaHTTPFixture.with(loops: 1, tls: certificate) { fixture in
            func subject() async throws -> String {
                let connect = "openssl s_client -connect 127.0.0.1:\(fixture.server.port) </dev/null 2>&1"
                return try await Tool.run("sh", "-c", connect + " | openssl x509 -noout -subject")
            }
            #expect(try await subject().contains("CN = localhost"))
            certificate.reload()
            #expect(events.all.isEmpty)
            try files.make(name: "renewed")
            certificate.reload()
            #expect(events.all == [.renewed(notAfter: certificate.notAfter)])
            #expect(try await subject().contains("CN = renewed"))
            try files.write("broken", to: "cert.pem")
            certificate.reload()
            certificate.reload()
            #expect(events.all.count == 2)
            guard case .refused(let fault) = events.all.last else {
                Issue.record("the broken file was not reported")
                return
            }
            #expect(fault.description.contains(files.certificateFile))
            #expect(try await subject().contains("CN = renewed"))
        }
    }
}
#endif
