import Glibc
import Testing

@testable import Systemd

@Suite struct CredentialsTests {
    @Test("A credential is the text of its file without trailing line ends; a file that is not text is refused by name")
    func reading() throws {
        let folder = "/tmp/adminexport-credentials-\(UInt32.random(in: 0...UInt32.max))"
        mkdir(folder, 0o700)
        func write(_ name: String, _ bytes: [UInt8]) {
            let file = open("\(folder)/\(name)", O_CREAT | O_WRONLY, 0o600)
            Glibc.write(file, bytes, bytes.count)
            close(file)
        }
        defer {
            for name in ["plain", "binary", "zero", "long", "empty"] { unlink("\(folder)/\(name)") }
            rmdir(folder)
        }
        write("plain", Array(" pass word \r\n\n".utf8))
        write("binary", [0xFF, 0xFE])
        write("zero", [0x61, 0])
        write("long", [UInt8](repeating: 0x61, count: 65_537))
        write("empty", [])
        let credentials = Credentials(environment: ["CREDENTIALS_DIRECTORY": folder])
        #expect(try credentials.text("plain") == " pass word ")
        #expect(try credentials.text("empty") == "")
        #expect(try credentials.text("missing") == nil)
        for name in ["binary", "zero", "long"] {
            #expect(throws: Credentials.Unreadable(name: name)) { try credentials.text(name) }
        }
        #expect(try Credentials(environment: [:]).text("plain") == nil)
    }
}
